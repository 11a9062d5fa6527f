// tiktoken.model: a line a token, in base64, and its rank.
#include "importers/tokenizer/Tiktoken.h"
#include "importers/Refusal.h"
#include "importers/tokenizer/Node.h"
#include "importers/tokenizer/Patterns.h"
#include "importers/tokenizer/RankedTokens.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Base64.h"

#include <map>

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

namespace {
constexpr size_t maxRankBytes = size_t(16) << 20, maxSourceBytes = size_t(1) << 20;
constexpr int64_t maxTokens = int64_t(1) << 22, maxReserved = 4096;
constexpr StringLiteral className = "TikTokenTokenizer", configName = "tokenizer_config.json", ranksName = "tiktoken.model";

/// The class as it is released: alternatives of its pattern, and its special tokens, of which some releases have two more.
constexpr StringLiteral alternatives[] = {
    R"([\p{Han}]+)",
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)",
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)",
    R"(\p{N}{1,3})",
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*)",
    R"(\s*[\r\n]+)",
    R"(\s+(?!\S))",
    R"(\s+)"};
constexpr int64_t reservedAsReleased = 256, moreReserved = 2;

/// What the class does with its files.
struct Class {
  std::string pattern = join(ArrayRef(alternatives), "|");
  int64_t reserved = reservedAsReleased;
  /// Whether `reserved` is what the class's own file says.
  bool isRead = false;
};

/// The next of Python's raw strings, which `source` begins with.
std::optional<StringRef> takeRawString(StringRef &source) {
  for (StringRef quotes : {R"(""")", "'''", "\"", "'"}) {
    StringRef rest = source;
    if (!rest.consume_front("r") || !rest.consume_front(quotes))
      continue;
    size_t end = rest.find(quotes);
    if (end == StringRef::npos)
      return std::nullopt;
    source = rest.drop_front(end + quotes.size());
    return rest.take_front(end);
  }
  return std::nullopt;
}

/// The strings of `"|".join([r"...", ...])`, joined.
std::optional<std::string> joinedStrings(StringRef source) {
  std::string joined;
  for (StringRef token : {"\"|\"", ".", "join", "(", "["})
    if (source = source.ltrim(); !source.consume_front(token))
      return std::nullopt;
  for (bool isFirst = true;; isFirst = false) {
    if (source = source.ltrim(); source.starts_with("]"))
      return isFirst ? std::nullopt : std::optional(std::move(joined));
    std::optional<StringRef> next = takeRawString(source);
    if (!next)
      return std::nullopt;
    joined += (isFirst ? "" : "|") + next->str();
    if (source = source.ltrim(); !source.consume_front(",") && !source.starts_with("]"))
      return std::nullopt;
  }
}

/// What follows `name =` where a line of `source` begins so.
std::optional<StringRef> assignedTo(StringRef name, StringRef source) {
  while (!source.empty()) {
    StringRef line = source.ltrim(" \t");
    if (line.consume_front(name) && (line = line.ltrim(" "), line.consume_front("=")) && !line.starts_with("="))
      return line.ltrim(" ");
    source = source.split('\n').second;
  }
  return std::nullopt;
}

/// Reads the class's assignments; a file without them is another's.
Error readClass(StringRef source, StringRef path, Class &into) {
  std::optional<StringRef> pattern = assignedTo("pat_str", source), count = assignedTo("num_reserved_special_tokens", source);
  if (pattern) {
    std::optional<std::string> joined = joinedStrings(*pattern);
    if (!joined)
      return refuse(path + ": pat_str: expected \"|\".join([...]) of raw strings, which is all that is read of Python");
    into.pattern = *joined;
  }
  if (count) {
    if (count->consumeInteger(10, into.reserved) || into.reserved < 0 || into.reserved > maxReserved)
      return refuse(path + ": num_reserved_special_tokens: expected 0 to " + Twine(maxReserved));
    into.reserved += source.contains("num_reserved_special_tokens + 2") ? moreReserved : 0;
    into.isRead = true;
  }
  return Error::success();
}

/// The file of the class that `config` names: "FILE.CLASS" under auto_map.
std::string classFile(const Node &config) {
  Node name = config.member("auto_map").member("AutoTokenizer"); // of the slow tokenizer and of a fast one
  const json::Value *value = name.json();
  if (value && value->array() && !value->array()->empty())
    value = &value->array()->front();
  if (!value || !value->string())
    return {};
  StringRef file = StringRef(*value->string()).rsplit('.').first;
  bool isPlain = !file.empty() && all_of(file, [](char c) { return isAlnum(c) || c == '_'; });
  return isPlain ? (file + ".py").str() : "";
}

//===- Ranks ----------------------------------------------------------------------------------------------------------------===//

/// Reads `text` to its end: every rank from 0 on is there once.
Error readRanks(StringRef text, StringRef path, artifact::TokenizerT &into) {
  auto refuseLine = [&](size_t line, const Twine &why) { return refuse(path + ": line " + Twine(line) + ": " + why); };
  StringSet<> seen;
  size_t singleBytes = 0, line = 0;
  int64_t mostRanks = std::min(maxTokens, int64_t(text.count('\n')) + 1);
  std::vector<bool> isThere;
  while (!text.empty()) {
    StringRef row;
    std::tie(row, text) = text.split('\n');
    row = row.trim(" \t\r");
    ++line;
    if (row.empty())
      continue;
    auto [spelt, number] = row.split(' ');
    int64_t rank = 0;
    if (number = number.ltrim(" \t"); number.getAsInteger(10, rank) || rank < 0 || rank >= mostRanks)
      return refuseLine(line, "expected base64, a space and a rank below " + Twine(mostRanks) + ", the number of lines");
    std::vector<char> bytes;
    if (Error error = decodeBase64(spelt, bytes))
      return refuseLine(line, "expected base64: " + toString(std::move(error)));
    if (bytes.empty() || bytes.size() > maxRankedBytes)
      return refuseLine(line, "expected 1 to " + Twine(maxRankedBytes) + " bytes, got " + Twine(bytes.size()));
    if (!seen.insert(StringRef(bytes.data(), bytes.size())).second)
      return refuseLine(line, "these bytes are there twice");
    if (size_t(rank) >= isThere.size()) {
      isThere.resize(size_t(rank) + 1);
      into.tokens.resize(isThere.size());
    }
    if (isThere[size_t(rank)])
      return refuseLine(line, "rank " + Twine(rank) + " is there twice");
    isThere[size_t(rank)] = true;
    singleBytes += bytes.size() == 1;
    into.tokens[size_t(rank)].assign(bytes.begin(), bytes.end());
  }
  // Special tokens follow at the number of ranks: with one left out they would stand on others.
  if (auto missing = find(isThere, false); missing != isThere.end())
    return refuse(path + ": expected ranks 0 to " + Twine(isThere.size() - 1) + ", got no " + Twine(missing - isThere.begin()));
  if (singleBytes != 256)
    return refuse(path + ": expected a token for each of the 256 bytes, got " + Twine(singleBytes));
  std::vector<RankedToken> ranked;
  for (size_t rank = 0; rank < into.tokens.size(); ++rank) {
    ranked.push_back({int32_t(rank), uint32_t(rank)});
    into.vocabulary.push_back(int32_t(rank));
  }
  addMerges(ranked, into);
  return Error::success();
}

//===- Special tokens -------------------------------------------------------------------------------------------------------===//

/// A token as configs write it: its text, or an object with that.
StringRef contentOf(const Node &token) {
  const json::Value *value = token.json();
  return value && value->object() ? token.text("content") : token.text();
}

/// Those that attributes of `config` name, which decoders leave out where special tokens are.
StringSet<> namedSpecial(const Node &config) {
  StringSet<> names;
  for (StringRef key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
    if (Node token = config.member(key); !token.isNull())
      names.insert(contentOf(token));
  for (StringRef key : {"additional_special_tokens", "extra_special_tokens"}) {
    Node more = config.member(key);
    if (more.json() && more.json()->object()) {
      for (const json::Member &member : *more.json()->object())
        names.insert(contentOf(more.member(member.key)));
    } else if (!more.isNull()) {
      for (const Node &token : more.items())
        names.insert(contentOf(token));
    }
  }
  return names;
}

struct Named {
  std::string content;
  bool special;
};

/// `added_tokens_decoder`, by id, all behind the `base` tokens of the file.
std::map<int64_t, Named> readNamed(const Node &config, int64_t base, int64_t count) {
  std::map<int64_t, Named> named;
  Node all = config.member("added_tokens_decoder");
  if (!all.json() || !all.json()->object()) {
    all.refuse("expected an object that names special tokens, got " + all.kind());
    return named;
  }
  for (const json::Member &member : *all.json()->object()) {
    Node token = all.member(member.key);
    int64_t id = 0;
    if (StringRef(member.key).getAsInteger(10, id) || id < base || id >= base + count)
      token.refuse("expected ids " + Twine(base) + " to " + Twine(base + count - 1) + ", which follow the tokens of " + ranksName);
    token.onlyKnown({"content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    StringRef content = token.text("content");
    if (content.empty() || content.size() > maxRankedBytes)
      token.refuse("expected a token of 1 to " + Twine(maxRankedBytes) + " bytes, got " + Twine(content.size()));
    for (StringRef flag : {"single_word", "lstrip", "rstrip"})
      if (token.flag(flag, false))
        token.member(flag).refuse("expected false, got true, which only one of the class's two ways to encode heeds");
    token.flag("normalized", false); // nothing is normalized
    named[id] = {content.str(), token.flag("special", false)};
    if (!config.ok())
      return named;
  }
  return named;
}

/// `count` of them; those that the config does not name are called after their ids.
void readSpecialTokens(const Node &config, const Class &made, artifact::TokenizerT &into) {
  int64_t base = int64_t(into.tokens.size()), most = made.reserved + (made.isRead ? 0 : moreReserved);
  std::map<int64_t, Named> named = readNamed(config, base, most);
  if (!config.ok())
    return;
  int64_t count = named.empty() ? made.reserved : std::max(made.reserved, named.rbegin()->first + 1 - base);
  StringSet<> special = namedSpecial(config), seen;
  for (int64_t id = base; id < base + count; ++id) {
    auto token = std::make_unique<artifact::AddedTokenT>();
    auto name = named.find(id);
    token->id = int32_t(id);
    token->content = name != named.end() ? name->second.content : ("<|reserved_token_" + Twine(id) + "|>").str();
    token->special = special.contains(token->content) || (name != named.end() && name->second.special);
    if (!seen.insert(token->content).second)
      return config.member("added_tokens_decoder").refuse("'" + token->content + "' is there twice");
    into.tokens.push_back(token->content);
    into.added_tokens.push_back(std::move(token));
  }
  for (const auto &name : special)
    if (!seen.contains(name.getKey()))
      return config.member("added_tokens_decoder")
          .refuse("'" + name.getKey() + "' is said to be a special token, but has no id here");
}

/// Why tiktoken would make other ids of what `config` says; nothing is refused that changes none.
void checkConfig(const Node &config) {
  if (Node name = config.member("tokenizer_class"); !name.isNull() && name.text() != className)
    name.refuse("expected '" + className + "', whose pattern is known, got '" + name.text() + "'");
  if (config.flag("split_special_tokens", false))
    config.member("split_special_tokens").refuse("expected false, got true");
}
} // namespace

Expected<artifact::TokenizerT> moec::importers::tokenizer::readTiktoken(const ModelFolder &folder) {
  auto pathOf = [&](StringRef name) { return (folder.path() + "/" + name).str(); };
  if (!folder.has(configName))
    return refuse(folder.path() + ": expected a " + configName + ", which names special tokens of " + ranksName);
  Expected<json::Value> root = folder.readJson(configName);
  if (!root)
    return root.takeError();
  std::string configPath = pathOf(configName);
  Refusals refusals(configPath);
  Node config(&*root, "", refusals);
  checkConfig(config);
  Class made;
  if (std::string file = classFile(config); !file.empty() && folder.has(file)) {
    auto source = folder.readText(file, maxSourceBytes);
    if (!source)
      return source.takeError();
    if (Error error = readClass((*source)->getBuffer(), pathOf(file), made))
      return error;
  }
  Expected<std::string> pattern = translateTextPattern(made.pattern);
  if (!pattern)
    return refuse(folder.path() + ": pattern of " + className + ": " + toString(pattern.takeError()));

  artifact::TokenizerT into;
  into.byte_level = true;
  into.ignore_merges = true; // a piece is looked up first
  into.pre_tokenizers.push_back(std::make_unique<artifact::PreTokenizerT>());
  into.pre_tokenizers.back()->kind = artifact::PreTokenizerKind::split;
  into.pre_tokenizers.back()->pattern = *pattern;
  into.pre_tokenizers.back()->behavior = artifact::SplitBehavior::removed; // all but the matches
  into.pre_tokenizers.back()->invert = true;
  auto ranks = folder.readText(ranksName, maxRankBytes);
  if (!ranks)
    return ranks.takeError();
  if (Error error = readRanks((*ranks)->getBuffer(), pathOf(ranksName), into))
    return error;
  readSpecialTokens(config, made, into);
  if (!refusals.none())
    return refusals.take();
  return into;
}
