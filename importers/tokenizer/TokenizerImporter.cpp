// Whichever file of a tokenizer a folder has, as an artifact's tokenizer.
#include "importers/tokenizer/TokenizerImporter.h"

#include "importers/Refusal.h"
#include "importers/tokenizer/Sections.h"
#include "importers/tokenizer/SentencePiece.h"
#include "importers/tokenizer/Tekken.h"
#include "importers/tokenizer/Tiktoken.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

static artifact::TokenizerT readTokenizerJson(const Node &root) {
  artifact::TokenizerT tokenizer;
  // Truncation and padding are defaults for whoever calls the reference with batches; transformers puts them aside as well.
  root.onlyKnown(
      {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"});
  readPreTokenizer(root.member("pre_tokenizer"), tokenizer);
  if (!root.ok())
    return tokenizer;
  Vocabulary vocabulary = readModel(root.member("model"), tokenizer);
  if (!root.ok())
    return tokenizer;
  readNormalizer(root.member("normalizer"), tokenizer);
  readAddedTokens(root.member("added_tokens"), vocabulary, tokenizer);
  readDecoder(root.member("decoder"), tokenizer);
  readPostProcessor(root.member("post_processor"), tokenizer);
  return tokenizer;
}

/// A file of JSON, by its reader.
static Expected<artifact::TokenizerT> readJson(const ModelFolder &folder, StringRef name,
                                               artifact::TokenizerT (*read)(const Node &root)) {
  Expected<json::Value> root = folder.readJson(name);
  if (!root)
    return root.takeError();
  std::string path = (folder.path() + "/" + name).str();
  Refusals refusals(path);
  artifact::TokenizerT tokenizer = read(Node(&*root, "", refusals));
  if (!refusals.none())
    return refusals.take();
  return tokenizer;
}

static Expected<artifact::TokenizerT> readSentencePiece(const ModelFolder &folder, StringRef name) {
  auto bytes = folder.readText(name, /*maxBytes=*/size_t(64) << 20);
  if (!bytes)
    return bytes.takeError();
  return tokenizer::readSentencePiece((*bytes)->getBuffer(), (folder.path() + "/" + name).str());
}

/// One of several is as good as another, but the first has been through the most hands.
static Expected<std::optional<artifact::TokenizerT>> readTokenizer(const ModelFolder &folder) {
  auto found = [](Expected<artifact::TokenizerT> read) -> Expected<std::optional<artifact::TokenizerT>> {
    if (!read)
      return read.takeError();
    return std::optional(std::move(*read));
  };
  if (folder.has("tokenizer.json"))
    return found(readJson(folder, "tokenizer.json", readTokenizerJson));
  if (folder.has("tekken.json"))
    return found(readJson(folder, "tekken.json", readTekken));
  if (folder.has("tiktoken.model"))
    return found(readTiktoken(folder));
  if (folder.has("tokenizer.model"))
    return found(readSentencePiece(folder, "tokenizer.model"));
  return std::nullopt;
}

/// What `read` finds in a folder, or, where that is nothing, around a folder of graphs.
template <class Read> static auto hereOrAround(const ModelFolder &folder, Read read) -> decltype(read(folder)) {
  auto found = read(folder);
  if (std::optional<ModelFolder> around = folder.around(); found && !*found && around)
    return read(*around);
  return found;
}

Expected<std::optional<std::string>> moec::importers::importTokenizer(const ModelFolder &folder) {
  Expected<std::optional<artifact::TokenizerT>> read = hereOrAround(folder, readTokenizer);
  if (!read)
    return read.takeError();
  if (!*read)
    return std::nullopt;
  const artifact::TokenizerT &tokenizer = **read;
  flatbuffers::FlatBufferBuilder builder;
  artifact::FinishTokenizerBuffer(builder, artifact::CreateTokenizer(builder, &tokenizer));
  return std::string(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
}

/// `chat_template` in one of a folder's files: a template, or several with names, of which the one called "default" is for talks
/// without tools.
static Expected<std::optional<std::string>> readTemplateIn(const ModelFolder &folder, StringRef file, Warn warn) {
  Expected<json::Value> config = folder.readJson(file);
  if (!config)
    return config.takeError();
  const json::Value *given = config->find("chat_template");
  if (!given || given->isNull())
    return std::nullopt;
  if (given->string())
    return std::optional<std::string>(*given->string());
  std::string place = (folder.path() + "/" + file + ": chat_template: ").str();
  auto refuseHere = [&](const Twine &why) { return refuse(place + why); };
  if (!given->array())
    return refuseHere("expected a string or a list of templates with names, got " + given->kind());
  for (const json::Value &each : *given->array()) {
    const json::Value *name = each.find("name"), *text = each.find("template");
    if (!name || !name->string() || !text || !text->string())
      return refuseHere("expected objects with a name and a template, both strings");
    if (*name->string() == "default")
      return std::optional<std::string>(*text->string());
  }
  warn(place + "none of " + Twine(given->array()->size()) + " templates is called 'default'; none is taken");
  return std::nullopt;
}

static Expected<std::optional<std::string>> readChatTemplate(const ModelFolder &folder, Warn warn) {
  if (folder.has("chat_template.jinja")) {
    Expected<File> file = folder.open("chat_template.jinja");
    if (!file)
      return file.takeError();
    constexpr uint64_t maxBytes = 1 << 20;
    if (file->size() > maxBytes)
      return refuse(file->path() + ": " + Twine(file->size()) + " bytes, expected at most " + Twine(maxBytes));
    std::string text(file->size(), '\0');
    if (Error error = file->read(0, text))
      return error;
    return std::optional<std::string>(std::move(text));
  }
  for (StringRef file : {"tokenizer_config.json", "chat_template.json"}) // the latter beside models that also see
    if (folder.has(file))
      if (Expected<std::optional<std::string>> found = readTemplateIn(folder, file, warn); !found || *found)
        return found;
  return std::nullopt;
}

Expected<std::optional<std::string>> moec::importers::importChatTemplate(const ModelFolder &folder, Warn warn) {
  return hereOrAround(folder, [&](const ModelFolder &each) { return readChatTemplate(each, warn); });
}
