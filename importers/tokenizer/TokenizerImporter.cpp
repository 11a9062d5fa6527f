// tokenizer.json (the file of the Hugging Face library `tokenizers`) to an artifact's tokenizer.
#include "importers/tokenizer/TokenizerImporter.h"

#include "importers/Refusal.h"
#include "importers/tokenizer/Sections.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

static artifact::TokenizerT read(const Node &root) {
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

Expected<std::optional<std::string>> moec::importers::importTokenizer(const ModelFolder &folder) {
  if (!folder.has("tokenizer.json"))
    return std::nullopt;
  Expected<json::Value> root = folder.readJson("tokenizer.json");
  if (!root)
    return root.takeError();
  std::string path = (folder.path() + "/tokenizer.json").str();
  Refusals refusals(path);
  artifact::TokenizerT tokenizer = read(Node(&*root, "", refusals));
  if (!refusals.none())
    return refusals.take();
  flatbuffers::FlatBufferBuilder builder;
  artifact::FinishTokenizerBuffer(builder, artifact::CreateTokenizer(builder, &tokenizer));
  return std::string(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
}

Expected<std::optional<std::string>> moec::importers::importChatTemplate(const ModelFolder &folder) {
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
  if (!folder.has("tokenizer_config.json"))
    return std::nullopt;
  Expected<json::Value> config = folder.readJson("tokenizer_config.json");
  if (!config)
    return config.takeError();
  const json::Value *text = config->find("chat_template");
  if (!text || text->isNull())
    return std::nullopt;
  if (!text->string())
    return refuse(folder.path() + "/tokenizer_config.json: chat_template: expected a string, got " + text->kind());
  return std::optional<std::string>(*text->string());
}
