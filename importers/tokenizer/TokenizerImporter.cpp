// tokenizer.json (the file of the Hugging Face library `tokenizers`) to an artifact's tokenizer.
#include "importers/tokenizer/TokenizerImporter.h"

#include "importers/Refusal.h"
#include "importers/tokenizer/ByteAlphabet.h"
#include "runtime/schema/Tokenizer_generated.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;

namespace {
constexpr int64_t maxTokens = int64_t(1) << 22;
/// How the reference's ByteLevel cuts text by itself: GPT-2's pattern.
constexpr StringLiteral byteLevelPattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class Reader {
public:
  Reader(const json::Value &root, StringRef path) : root(root), path(path) {}
  Expected<std::string> read();

private:
  Error refuseAt(const Twine &where, const Twine &why) const { return refuse(path + ": " + where + ": " + why); }
  Expected<bool> flag(const json::Value &object, StringRef key, bool absent, StringRef where) const;
  Expected<StringRef> typeOf(const json::Value &object, StringRef where) const;
  /// Refuses members of `object` other than `known`.
  Error onlyKnown(const json::Value &object, ArrayRef<StringRef> known, StringRef where) const;

  Error readModel();
  Error readMerges(const json::Value &model);
  Error readAddedTokens();
  Error readNormalizer(const json::Value &normalizer, StringRef where);
  Error readPreTokenizer(const json::Value &preTokenizer, StringRef where, bool last);
  Error readDecoder();
  Error readPostProcessor(const json::Value &processor, StringRef where);
  Error readTemplate(const json::Value &processor, StringRef where);
  Expected<int32_t> idOf(StringRef token, const Twine &where) const;

  const json::Value &root;
  StringRef path;
  StringMap<int32_t> vocabulary;
  std::vector<std::string> tokens; ///< bytes by id
  std::vector<artifact::Merge> merges;
  std::vector<artifact::AddedTokenT> added;
  std::vector<artifact::Normalizer> normalizers;
  std::vector<artifact::PreTokenizerT> splits;
  std::vector<int32_t> prefix, suffix;
  bool addPrefixSpace = false, ignoreMerges = false, byteLevel = false;
};

Expected<bool> Reader::flag(const json::Value &object, StringRef key, bool absent, StringRef where) const {
  const json::Value *value = object.find(key);
  if (!value)
    return absent;
  if (std::optional<bool> flag = value->boolean())
    return *flag;
  return refuseAt(where + "." + key, "expected true or false, got " + value->kind());
}

Expected<StringRef> Reader::typeOf(const json::Value &object, StringRef where) const {
  const json::Value *type = object.find("type");
  if (!type || !type->string())
    return refuseAt(where, "expected an object with a type");
  return StringRef(*type->string());
}

Error Reader::onlyKnown(const json::Value &object, ArrayRef<StringRef> known, StringRef where) const {
  for (const json::Member &member : *object.object())
    if (!is_contained(known, member.key))
      return refuseAt(where, "'" + member.key + "' is not known; it could change the ids");
  return Error::success();
}

Expected<int32_t> Reader::idOf(StringRef token, const Twine &where) const {
  auto found = vocabulary.find(token);
  if (found == vocabulary.end())
    return refuseAt(where, "'" + token + "' is not in the vocabulary");
  return found->second;
}

Error Reader::readModel() {
  const json::Value *model = root.find("model");
  if (!model || !model->object())
    return refuseAt("model", "expected an object");
  const json::Value *type = model->find("type"); // old files leave it out
  if (type && (!type->string() || *type->string() != "BPE"))
    return refuseAt("model.type", "expected BPE, got " + (type->string() ? "'" + *type->string() + "'" : type->kind().str()));
  if (Error error = onlyKnown(*model,
                              {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                               "byte_fallback", "ignore_merges", "vocab", "merges"},
                              "model"))
    return error;
  for (StringRef key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const json::Value *value = model->find(key);
    bool without =
        !value || value->isNull() || (value->string() && value->string()->empty()) || (key == "dropout" && value->number() == 0.0);
    if (!without)
      return refuseAt("model." + key, "not supported; expected null");
  }
  Expected<bool> fallback = flag(*model, "byte_fallback", false, "model");
  if (!fallback)
    return fallback.takeError();
  if (*fallback)
    return refuseAt("model.byte_fallback", "not supported: expected a byte-level vocabulary");
  Expected<bool> ignore = flag(*model, "ignore_merges", false, "model");
  if (!ignore)
    return ignore.takeError();
  ignoreMerges = *ignore;

  const json::Value *vocab = model->find("vocab");
  if (!vocab || !vocab->object() || vocab->object()->empty())
    return refuseAt("model.vocab", "expected an object of tokens");
  for (const json::Member &member : *vocab->object()) {
    std::optional<int64_t> id = member.value.integer();
    if (!id || *id < 0 || *id >= maxTokens)
      return refuseAt("model.vocab." + member.key, "expected an id in [0, " + Twine(maxTokens) + ")");
    if (size_t(*id) >= tokens.size())
      tokens.resize(size_t(*id) + 1);
    if (!tokens[size_t(*id)].empty())
      return refuseAt("model.vocab." + member.key, "id " + Twine(*id) + " is given to two tokens");
    if (member.key.empty())
      continue;
    vocabulary[member.key] = int32_t(*id);
    tokens[size_t(*id)] = bytesInAlphabet(member.key).value_or(member.key);
  }
  return readMerges(*model);
}

Error Reader::readMerges(const json::Value &model) {
  const json::Value *list = model.find("merges");
  if (!list || !list->array())
    return refuseAt("model.merges", "expected an array");
  for (auto [i, value] : enumerate(*list->array())) {
    std::string where = "model.merges[" + std::to_string(i) + "]";
    StringRef left, right;
    if (const std::string *text = value.string()) {
      std::tie(left, right) = StringRef(*text).split(' ');
    } else if (const json::Array *pair = value.array(); pair && pair->size() == 2 && (*pair)[0].string() && (*pair)[1].string()) {
      left = *(*pair)[0].string();
      right = *(*pair)[1].string();
    }
    if (left.empty() || right.empty())
      return refuseAt(where, "expected two tokens");
    Expected<int32_t> leftId = idOf(left, where), rightId = idOf(right, where), result = idOf((left + right).str(), where);
    if (!leftId || !rightId || !result)
      return joinErrors(
          joinErrors(leftId ? Error::success() : leftId.takeError(), rightId ? Error::success() : rightId.takeError()),
          result ? Error::success() : result.takeError());
    merges.emplace_back(*leftId, *rightId, *result);
  }
  return Error::success();
}

Error Reader::readAddedTokens() {
  const json::Value *list = root.find("added_tokens");
  if (!list || list->isNull())
    return Error::success();
  if (!list->array())
    return refuseAt("added_tokens", "expected an array");
  for (auto [i, value] : enumerate(*list->array())) {
    std::string where = "added_tokens[" + std::to_string(i) + "]";
    const json::Value *id = value.find("id"), *content = value.find("content");
    if (!id || !id->integer() || *id->integer() < 0 || *id->integer() >= maxTokens || !content || !content->string() ||
        content->string()->empty())
      return refuseAt(where, "expected an id in [0, " + Twine(maxTokens) + ") and content");
    artifact::AddedTokenT token;
    token.id = int32_t(*id->integer());
    token.content = *content->string();
    for (auto [key, into, absent] : {std::tuple<StringRef, bool *, bool>{"special", &token.special, false},
                                     {"single_word", &token.single_word, false},
                                     {"lstrip", &token.lstrip, false},
                                     {"rstrip", &token.rstrip, false},
                                     {"normalized", &token.normalized, true}}) {
      Expected<bool> read = flag(value, key, absent, where);
      if (!read)
        return read.takeError();
      *into = *read;
    }
    auto known = vocabulary.find(token.content);
    if (known != vocabulary.end() && known->second != token.id)
      return refuseAt(where, "'" + token.content + "' has id " + Twine(token.id) + " here and " + Twine(known->second) +
                                 " in the vocabulary");
    if (size_t(token.id) >= tokens.size())
      tokens.resize(size_t(token.id) + 1);
    std::string bytes = bytesInAlphabet(token.content).value_or(token.content);
    if (std::string &held = tokens[size_t(token.id)]; held.empty())
      held = bytes;
    else if (held != bytes)
      return refuseAt(where, "id " + Twine(token.id) + " is given to two tokens");
    vocabulary[token.content] = token.id;
    added.push_back(std::move(token));
  }
  return Error::success();
}

Error Reader::readNormalizer(const json::Value &normalizer, StringRef where) {
  if (normalizer.isNull())
    return Error::success();
  Expected<StringRef> type = typeOf(normalizer, where);
  if (!type)
    return type.takeError();
  if (*type == "Sequence") {
    const json::Value *list = normalizer.find("normalizers");
    if (!list || !list->array())
      return refuseAt(where + ".normalizers", "expected an array");
    for (const json::Value &each : *list->array())
      if (Error error = readNormalizer(each, where.str() + ".normalizers"))
        return error;
    return Error::success();
  }
  auto form = StringSwitch<artifact::Normalizer>(*type)
                  .Case("NFC", artifact::Normalizer::nfc)
                  .Case("NFD", artifact::Normalizer::nfd)
                  .Case("NFKC", artifact::Normalizer::nfkc)
                  .Case("NFKD", artifact::Normalizer::nfkd)
                  .Default(artifact::Normalizer::none);
  if (form == artifact::Normalizer::none)
    return refuseAt(where, "normalizer '" + *type + "' is not supported");
  normalizers.push_back(form);
  return onlyKnown(normalizer, {"type"}, where);
}

Error Reader::readPreTokenizer(const json::Value &preTokenizer, StringRef where, bool last) {
  Expected<StringRef> type = typeOf(preTokenizer, where);
  if (!type)
    return type.takeError();
  if (*type == "Sequence") {
    const json::Value *list = preTokenizer.find("pretokenizers");
    if (!list || !list->array())
      return refuseAt(where + ".pretokenizers", "expected an array");
    for (auto [i, each] : enumerate(*list->array()))
      if (Error error = readPreTokenizer(each, where.str() + ".pretokenizers[" + std::to_string(i) + "]",
                                         last && i + 1 == list->array()->size()))
        return error;
    return Error::success();
  }
  if (*type == "ByteLevel") {
    if (Error error = onlyKnown(preTokenizer, {"type", "add_prefix_space", "trim_offsets", "use_regex"}, where))
      return error;
    Expected<bool> prefixSpace = flag(preTokenizer, "add_prefix_space", true, where),
                   regex = flag(preTokenizer, "use_regex", true, where);
    if (!prefixSpace || !regex)
      return joinErrors(prefixSpace ? Error::success() : prefixSpace.takeError(), regex ? Error::success() : regex.takeError());
    if (!last)
      return refuseAt(where, "ByteLevel is supported as the last pre-tokenizer only");
    if (*prefixSpace && !splits.empty())
      return refuseAt(where + ".add_prefix_space", "not supported behind other pre-tokenizers");
    addPrefixSpace = *prefixSpace;
    byteLevel = true;
    if (*regex) {
      artifact::PreTokenizerT &split = splits.emplace_back();
      split.pattern = byteLevelPattern.str();
      split.behavior = artifact::SplitBehavior::isolated;
    }
    return Error::success();
  }
  if (*type != "Split" && *type != "Digits")
    return refuseAt(where, "pre-tokenizer '" + *type + "' is not supported");
  artifact::PreTokenizerT split;
  if (*type == "Digits") {
    Expected<bool> individual = flag(preTokenizer, "individual_digits", false, where);
    if (!individual)
      return individual.takeError();
    split.pattern = "\\p{N}";
    split.behavior = *individual ? artifact::SplitBehavior::isolated : artifact::SplitBehavior::contiguous;
    splits.push_back(std::move(split));
    return onlyKnown(preTokenizer, {"type", "individual_digits"}, where);
  }
  if (Error error = onlyKnown(preTokenizer, {"type", "pattern", "behavior", "invert"}, where))
    return error;
  const json::Value *pattern = preTokenizer.find("pattern"), *behavior = preTokenizer.find("behavior");
  const json::Value *regex = pattern ? pattern->find("Regex") : nullptr, *literal = pattern ? pattern->find("String") : nullptr;
  if (regex && regex->string())
    split.pattern = *regex->string();
  else if (literal && literal->string())
    for (char c : *literal->string()) { // every ASCII character that could mean something, by its escape
      if (isPunct(c))
        split.pattern += '\\';
      split.pattern += c;
    }
  if (split.pattern.empty())
    return refuseAt(where + ".pattern", "expected {\"Regex\": ...} or {\"String\": ...}");
  auto known = StringSwitch<std::optional<artifact::SplitBehavior>>(behavior && behavior->string() ? StringRef(*behavior->string())
                                                                                                   : StringRef())
                   .Case("Isolated", artifact::SplitBehavior::isolated)
                   .Case("Removed", artifact::SplitBehavior::removed)
                   .Case("MergedWithPrevious", artifact::SplitBehavior::merged_with_previous)
                   .Case("MergedWithNext", artifact::SplitBehavior::merged_with_next)
                   .Case("Contiguous", artifact::SplitBehavior::contiguous)
                   .Default(std::nullopt);
  if (!known)
    return refuseAt(where + ".behavior", "expected Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
  Expected<bool> invert = flag(preTokenizer, "invert", false, where);
  if (!invert)
    return invert.takeError();
  split.behavior = *known;
  split.invert = *invert;
  splits.push_back(std::move(split));
  return Error::success();
}

Error Reader::readDecoder() {
  const json::Value *decoder = root.find("decoder");
  Expected<StringRef> type = decoder ? typeOf(*decoder, "decoder") : StringRef("none");
  if (!type)
    return type.takeError();
  if (*type != "ByteLevel")
    return refuseAt("decoder", "expected ByteLevel, got '" + *type + "'");
  return Error::success();
}

Error Reader::readPostProcessor(const json::Value &processor, StringRef where) {
  if (processor.isNull())
    return Error::success();
  Expected<StringRef> type = typeOf(processor, where);
  if (!type)
    return type.takeError();
  if (*type == "ByteLevel") // moves offsets only
    return Error::success();
  if (*type == "TemplateProcessing")
    return readTemplate(processor, where);
  if (*type != "Sequence")
    return refuseAt(where, "post-processor '" + *type + "' is not supported");
  const json::Value *list = processor.find("processors");
  if (!list || !list->array())
    return refuseAt(where + ".processors", "expected an array");
  for (const json::Value &each : *list->array())
    if (Error error = readPostProcessor(each, where.str() + ".processors"))
      return error;
  return Error::success();
}

Error Reader::readTemplate(const json::Value &processor, StringRef where) {
  const json::Value *single = processor.find("single"), *specials = processor.find("special_tokens");
  if (!single || !single->array() || !specials || !specials->object())
    return refuseAt(where, "expected 'single' and 'special_tokens'");
  std::vector<int32_t> before, after;
  bool seenText = false;
  for (auto [i, piece] : enumerate(*single->array())) {
    std::string at = where.str() + ".single[" + std::to_string(i) + "]";
    const json::Value *special = piece.find("SpecialToken"), *text = piece.find("Sequence");
    if (text) {
      const json::Value *id = text->find("id");
      if (seenText || !id || !id->string() || *id->string() != "A")
        return refuseAt(at, "expected the text A once");
      seenText = true;
      continue;
    }
    const json::Value *name = special ? special->find("id") : nullptr;
    if (!name || !name->string())
      return refuseAt(at, "expected a SpecialToken or a Sequence");
    const json::Value *token = specials->find(*name->string());
    const json::Value *ids = token ? token->find("ids") : nullptr;
    if (!ids || !ids->array())
      return refuseAt(where + ".special_tokens", "expected ids of '" + *name->string() + "'");
    for (const json::Value &id : *ids->array()) {
      if (!id.integer() || *id.integer() < 0 || size_t(*id.integer()) >= tokens.size())
        return refuseAt(where + ".special_tokens", "an id of '" + *name->string() + "' is not in the vocabulary");
      (seenText ? after : before).push_back(int32_t(*id.integer()));
    }
  }
  if (!seenText)
    return refuseAt(where + ".single", "expected the text A once");
  prefix.insert(prefix.begin(), before.begin(), before.end());
  suffix.insert(suffix.end(), after.begin(), after.end());
  return Error::success();
}

Expected<std::string> Reader::read() {
  if (!root.object())
    return refuse(path + ": expected an object");
  if (Error error = onlyKnown(
          root,
          {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"},
          "the file"))
    return error;
  if (Error error = readModel())
    return error;
  if (Error error = readAddedTokens())
    return error;
  if (const json::Value *normalizer = root.find("normalizer"))
    if (Error error = readNormalizer(*normalizer, "normalizer"))
      return error;
  const json::Value *preTokenizer = root.find("pre_tokenizer");
  if (!preTokenizer || preTokenizer->isNull())
    return refuseAt("pre_tokenizer", "expected one that ends in ByteLevel: only byte-level vocabularies are supported");
  if (Error error = readPreTokenizer(*preTokenizer, "pre_tokenizer", true))
    return error;
  if (!byteLevel)
    return refuseAt("pre_tokenizer", "expected one that ends in ByteLevel: only byte-level vocabularies are supported");
  if (Error error = readDecoder())
    return error;
  if (const json::Value *processor = root.find("post_processor"))
    if (Error error = readPostProcessor(*processor, "post_processor"))
      return error;

  artifact::TokenizerT tokenizer;
  for (int byte = 0; byte < 256; ++byte) {
    auto found = vocabulary.find(alphabetOf(static_cast<unsigned char>(byte)));
    tokenizer.byte_tokens.push_back(found == vocabulary.end() ? -1 : found->second);
  }
  tokenizer.tokens = std::move(tokens);
  tokenizer.merges = std::move(merges);
  tokenizer.normalizers = std::move(normalizers);
  tokenizer.add_prefix_space = addPrefixSpace;
  tokenizer.ignore_merges = ignoreMerges;
  tokenizer.prefix_ids = std::move(prefix);
  tokenizer.suffix_ids = std::move(suffix);
  for (artifact::AddedTokenT &token : added)
    tokenizer.added_tokens.push_back(std::make_unique<artifact::AddedTokenT>(std::move(token)));
  for (artifact::PreTokenizerT &split : splits)
    tokenizer.pre_tokenizers.push_back(std::make_unique<artifact::PreTokenizerT>(std::move(split)));
  flatbuffers::FlatBufferBuilder builder;
  artifact::FinishTokenizerBuffer(builder, artifact::CreateTokenizer(builder, &tokenizer));
  return std::string(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
}
} // namespace

Expected<std::optional<std::string>> moec::importers::importTokenizer(const ModelFolder &folder) {
  if (!folder.has("tokenizer.json"))
    return std::nullopt;
  Expected<json::Value> root = folder.readJson("tokenizer.json");
  if (!root)
    return root.takeError();
  Expected<std::string> bytes = Reader(*root, (folder.path() + "/tokenizer.json").str()).read();
  if (!bytes)
    return bytes.takeError();
  return std::optional<std::string>(std::move(*bytes));
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
