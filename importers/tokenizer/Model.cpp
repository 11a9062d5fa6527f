// tokenizer.json's `model` and `added_tokens`: vocabulary and merges.
#include "importers/tokenizer/ByteAlphabet.h"
#include "importers/tokenizer/Sections.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

namespace {
constexpr int64_t maxId = (int64_t(1) << 22) - 1;
/// Bytes of an added token: finding one takes time in proportion at every place of a text.
constexpr size_t maxAddedBytes = 1024;

/// What the runtime calls a token: bytes when the vocabulary is byte-level, where a token that is not spelt in the byte alphabet
/// stands for itself.
std::string stored(StringRef token, bool byteLevel) {
  return byteLevel ? bytesInAlphabet(token).value_or(token.str()) : token.str();
}

/// Takes `id` for `token`; false when it has one already.
bool store(StringRef token, int64_t id, artifact::TokenizerT &into) {
  if (size_t(id) >= into.tokens.size())
    into.tokens.resize(size_t(id) + 1);
  if (!into.tokens[size_t(id)].empty())
    return false;
  into.tokens[size_t(id)] = stored(token, into.byte_level);
  return true;
}

void readVocabulary(const Node &vocab, Vocabulary &vocabulary, artifact::TokenizerT &into) {
  const json::Value *json = vocab.json();
  if (!json || !json->object() || json->object()->empty())
    return vocab.refuse("expected an object of tokens, got " + (json && json->object() ? "an empty one" : vocab.kind()));
  std::vector<bool> given;
  for (const json::Member &entry : *json->object()) {
    std::optional<int64_t> id = entry.value.integer();
    if (!id || *id < 0 || *id > maxId)
      return vocab.refuse("'" + entry.key + "': expected an id in [0, " + Twine(maxId) + "], got " +
                          (id ? Twine(*id) : Twine(entry.value.kind())));
    given.resize(std::max(given.size(), size_t(*id) + 1));
    if (given[size_t(*id)])
      return vocab.refuse("'" + entry.key + "': id " + Twine(*id) + " is given to two tokens");
    given[size_t(*id)] = true;
    vocabulary.ids[entry.key] = int32_t(*id);
    store(entry.key, *id, into);
    if (!into.byte_level || bytesInAlphabet(entry.key)) // others are never what a text is spelt with
      into.vocabulary.push_back(int32_t(*id));
  }
  vocabulary.spellsAllBytes =
      all_of(seq<int>(0, 256), [&](int byte) { return vocabulary.ids.contains(alphabetOf(uint8_t(byte))); });
}

void readMerges(const Node &merges, const Vocabulary &vocabulary, artifact::TokenizerT &into) {
  if (!merges.json() || !merges.json()->array())
    return merges.refuse("expected an array, got " + merges.kind());
  for (auto [i, value] : enumerate(*merges.json()->array())) {
    auto refuse = [&](const Twine &why) { merges.refuse("[" + Twine(i) + "]: " + why); };
    StringRef left, right;
    if (const std::string *text = value.string()) {
      if (StringRef(*text).starts_with("#version"))
        continue;
      std::tie(left, right) = StringRef(*text).split(' ');
    } else if (const json::Array *pair = value.array(); pair && pair->size() == 2 && (*pair)[0].string() && (*pair)[1].string()) {
      left = *(*pair)[0].string();
      right = *(*pair)[1].string();
    }
    if (left.empty() || right.empty() || (value.string() && right.contains(' ')))
      return refuse("expected two tokens: \"a b\" or [\"a\", \"b\"]");
    std::string whole = (left + right).str();
    for (StringRef token : {left, right, StringRef(whole)})
      if (!vocabulary.ids.contains(token))
        return refuse("'" + token + "' is not in the vocabulary");
    if (into.byte_level && !bytesInAlphabet(whole))
      continue; // no text is ever spelt with it
    into.merges.emplace_back(vocabulary.ids.lookup(left), vocabulary.ids.lookup(right), vocabulary.ids.lookup(whole));
  }
}

} // namespace

void moec::importers::tokenizer::readFallback(const Vocabulary &vocabulary, artifact::TokenizerT &into) {
  for (int byte = 0; byte < 256; ++byte) {
    auto found = vocabulary.ids.find("<0x" + utohexstr(uint64_t(byte), /*LowerCase=*/false, /*Width=*/2) + ">");
    into.fallback_tokens.push_back(found == vocabulary.ids.end() ? -1 : found->second);
  }
}

/// What stands for characters without a token. With a byte-level vocabulary of all bytes there are none, whatever the file says.
static void readUnknown(const Node &model, const Vocabulary &vocabulary, artifact::TokenizerT &into) {
  bool fallback = model.flag("byte_fallback", false), fuse = model.flag("fuse_unk", false);
  Node unknown = model.member("unk_token");
  StringRef token = unknown.isNull() ? StringRef() : unknown.text();
  if (into.byte_level && vocabulary.spellsAllBytes)
    return;
  if (into.byte_level && fallback)
    return model.member("byte_fallback").refuse("not supported for a byte-level vocabulary that lacks bytes");
  if (fallback)
    readFallback(vocabulary, into);
  into.fuse_unknown = fuse;
  if (unknown.isNull())
    return;
  auto found = vocabulary.ids.find(token);
  if (found == vocabulary.ids.end())
    return unknown.refuse("'" + token + "' is not in the vocabulary");
  into.unknown_token = found->second;
}

Vocabulary moec::importers::tokenizer::readModel(const Node &model, artifact::TokenizerT &into) {
  Vocabulary vocabulary;
  Node type = model.member("type");
  if (type.json() && type.text() == "Unigram")
    return readUnigram(model, into);
  if (type.json() && type.text() != "BPE") // old files leave it out
    type.refuse("expected BPE or Unigram, got '" + type.text() +
                "'; move the file away for a model that takes and gives token ids alone");
  model.onlyKnown({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
                   "ignore_merges", "vocab", "merges"});
  for (StringRef key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (Node node = model.member(key); !node.isNull() && (!node.json()->string() || !node.json()->string()->empty()))
      node.refuse("not supported; expected null");
  if (Node dropout = model.member("dropout"); !dropout.isNull() && dropout.json()->number() != 0.0)
    dropout.refuse("not supported; expected null");
  into.ignore_merges = model.flag("ignore_merges", false);
  if (!model.ok())
    return vocabulary;
  readVocabulary(model.member("vocab"), vocabulary, into);
  if (model.ok())
    readMerges(model.member("merges"), vocabulary, into);
  if (model.ok())
    readUnknown(model, vocabulary, into);
  return vocabulary;
}

void moec::importers::tokenizer::readAddedTokens(const Node &addedTokens, Vocabulary &vocabulary, artifact::TokenizerT &into) {
  if (addedTokens.isNull())
    return;
  int64_t next = vocabulary.ids.size(); // the id that the reference gives, whatever the file says
  for (const Node &node : addedTokens.items()) {
    node.onlyKnown({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    auto token = std::make_unique<artifact::AddedTokenT>();
    token->id = int32_t(node.member("id").integer(0, maxId));
    token->content = node.text("content").str();
    token->special = node.flag("special", false);
    token->single_word = node.flag("single_word", false);
    token->lstrip = node.flag("lstrip", false);
    token->rstrip = node.flag("rstrip", false);
    token->normalized = node.flag("normalized", !token->special);
    if (!node.ok())
      return;
    if (token->content.empty() || token->content.size() > maxAddedBytes)
      return node.member("content").refuse("expected 1 to " + Twine(maxAddedBytes) + " bytes, got " + Twine(token->content.size()));
    // Normalized, it would be read by the byte alphabet when it is decoded.
    if (into.byte_level && token->normalized && !into.normalizers.empty() && !isASCII(token->content))
      return node.refuse("'" + token->content + "': a normalized token beyond ASCII is not supported behind a normalizer");
    if (!vocabulary.added.try_emplace(token->content, token->id).second)
      return node.refuse("'" + token->content + "' is added twice");
    auto known = vocabulary.ids.find(token->content);
    int64_t expected = known != vocabulary.ids.end() ? known->second : next;
    if (token->id != expected)
      return node.refuse("'" + token->content + "' has id " + Twine(token->id) + ", expected " + Twine(expected) +
                         (known != vocabulary.ids.end() ? ", which it has in the vocabulary" : ", the next behind the vocabulary"));
    if (known == vocabulary.ids.end() && !store(token->content, token->id, into))
      return node.refuse("id " + Twine(token->id) + " is given to two tokens");
    if (token->id >= next)
      next = token->id + 1;
    into.added_tokens.push_back(std::move(token));
  }
}
