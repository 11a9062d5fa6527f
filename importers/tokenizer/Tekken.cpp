// tekken.json: config, vocabulary by rank, special tokens in front of it.
#include "importers/tokenizer/Tekken.h"
#include "importers/tokenizer/Patterns.h"
#include "importers/tokenizer/RankedTokens.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Base64.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

namespace {
constexpr int64_t maxTokens = int64_t(1) << 22;

/// Those of files that list none, as those of versions up to v7 may.
constexpr StringRef oldSpecialTokens[] = {"<unk>",
                                          "<s>",
                                          "</s>",
                                          "[INST]",
                                          "[/INST]",
                                          "[AVAILABLE_TOOLS]",
                                          "[/AVAILABLE_TOOLS]",
                                          "[TOOL_RESULTS]",
                                          "[/TOOL_RESULTS]",
                                          "[TOOL_CALLS]",
                                          "[IMG]",
                                          "<pad>",
                                          "[IMG_BREAK]",
                                          "[IMG_END]",
                                          "[PREFIX]",
                                          "[MIDDLE]",
                                          "[SUFFIX]",
                                          "[SYSTEM_PROMPT]",
                                          "[/SYSTEM_PROMPT]",
                                          "[TOOL_CONTENT]"};
constexpr StringRef versionsWithoutList[] = {"v1", "v2", "v3", "v7"};

void addSpecial(StringRef content, artifact::TokenizerT &into) {
  auto token = std::make_unique<artifact::AddedTokenT>();
  token->id = int32_t(into.tokens.size());
  token->content = content.str();
  token->special = true;
  into.added_tokens.push_back(std::move(token));
  into.tokens.push_back(content.str());
}

/// `count` of them; those that the file does not name are called after their ids.
void readSpecialTokens(const Node &list, StringRef version, int64_t count, artifact::TokenizerT &into) {
  if (list.isNull()) {
    if (!is_contained(versionsWithoutList, version))
      return list.refuse("expected an array, got " + list.kind() + ", which only versions up to v7 may leave out");
    if (count < int64_t(std::size(oldSpecialTokens)))
      return list.refuse("expected an array, got nothing, which means " + Twine(std::size(oldSpecialTokens)) +
                         " special tokens, but " + "config.default_num_special_tokens is " + Twine(count));
    for (StringRef content : oldSpecialTokens)
      addSpecial(content, into);
  } else {
    for (const Node &node : list.items()) {
      node.onlyKnown({"rank", "token_str", "is_control"});
      StringRef content = node.text("token_str");
      node.member("rank").integer(int64_t(into.tokens.size()), int64_t(into.tokens.size()));
      if (content.empty() || content.size() > maxRankedBytes)
        node.refuse("expected a token of 1 to " + Twine(maxRankedBytes) + " bytes, got " + Twine(content.size()));
      if (!node.ok())
        return;
      addSpecial(content, into);
    }
  }
  if (int64_t(into.tokens.size()) > count)
    return list.refuse("expected at most " + Twine(count) + " as config.default_num_special_tokens says, got " +
                       Twine(into.tokens.size()));
  while (int64_t(into.tokens.size()) < count)
    addSpecial(("<SPECIAL_" + Twine(into.tokens.size()) + ">").str(), into);
  StringSet<> seen;
  for (const std::string &token : into.tokens)
    if (!seen.insert(token).second)
      return list.refuse("'" + token + "' is there twice");
}

/// The bytes of an entry of `vocab`.
std::string bytesOf(const Node &entry, int64_t rank) {
  entry.onlyKnown({"rank", "token_bytes", "token_str"}); // token_str is what they look like
  entry.member("rank").integer(rank, rank);
  std::vector<char> bytes;
  if (Error error = decodeBase64(entry.text("token_bytes"), bytes))
    entry.member("token_bytes").refuse("expected base64: " + toString(std::move(error)));
  else if (bytes.empty() || bytes.size() > maxRankedBytes)
    entry.member("token_bytes").refuse("expected 1 to " + Twine(maxRankedBytes) + " bytes, got " + Twine(bytes.size()));
  return {bytes.begin(), bytes.end()};
}

/// The first `count` tokens of the file, which may have more.
void readVocabulary(const Node &vocab, int64_t count, artifact::TokenizerT &into) {
  std::vector<Node> entries = vocab.items();
  if (vocab.ok() && int64_t(entries.size()) < count)
    vocab.refuse("expected at least " + Twine(count) + " tokens as config says, got " + Twine(entries.size()));
  if (!vocab.ok())
    return;
  std::vector<RankedToken> ranked;
  StringSet<> seen;
  size_t singleBytes = 0;
  for (int64_t rank = 0; rank < count; ++rank) {
    const Node &entry = entries[size_t(rank)];
    std::string bytes = bytesOf(entry, rank);
    if (entry.ok() && !seen.insert(bytes).second)
      entry.refuse("these bytes are there twice");
    if (!entry.ok())
      return;
    singleBytes += bytes.size() == 1;
    ranked.push_back({int32_t(into.tokens.size()), uint32_t(rank)});
    into.vocabulary.push_back(int32_t(into.tokens.size()));
    into.tokens.push_back(std::move(bytes));
  }
  if (singleBytes != 256)
    return vocab.refuse("expected a token for each of the 256 bytes, got " + Twine(singleBytes));
  addMerges(ranked, into);
}
} // namespace

artifact::TokenizerT moec::importers::tokenizer::readTekken(const Node &root) {
  artifact::TokenizerT into;
  into.byte_level = true;
  into.ignore_merges = true; // tiktoken looks a piece up first
  // What pictures and sounds become is no matter of text.
  root.onlyKnown(
      {"config", "vocab", "special_tokens", "version", "type", "image", "multimodal", "audio", "model_settings_builder"});
  Node config = root.member("config");
  config.onlyKnown({"pattern", "num_vocab_tokens", "default_vocab_size", "default_num_special_tokens", "version"});
  int64_t size = config.member("default_vocab_size").integer(1, maxTokens);
  int64_t specials = config.member("default_num_special_tokens").integer(0, size);
  Expected<std::string> pattern = translateTextPattern(config.text("pattern"));
  if (!pattern)
    config.member("pattern").refuse(toString(pattern.takeError()));
  if (!root.ok())
    return into;
  into.pre_tokenizers.push_back(std::make_unique<artifact::PreTokenizerT>());
  into.pre_tokenizers.back()->kind = artifact::PreTokenizerKind::split;
  into.pre_tokenizers.back()->pattern = *pattern;
  into.pre_tokenizers.back()->behavior = artifact::SplitBehavior::removed; // all but the matches
  into.pre_tokenizers.back()->invert = true;
  readSpecialTokens(root.member("special_tokens"), config.text("version"), specials, into);
  if (root.ok())
    readVocabulary(root.member("vocab"), size - specials, into);
  for (const auto &token : into.added_tokens)
    if (token->content == "<s>")
      into.prefix_ids.push_back(token->id);
  return into;
}
