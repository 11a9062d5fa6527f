// Viterbi over the places of a piece, with the sums and the order of comparisons of the libraries whose ids these are to be.
#include "runtime/tokenizer/Unigram.h"

#include "runtime/tokenizer/Utf8.h"

#include <algorithm>

using namespace moec;
using namespace moec::runtime;

/// So that looking at the time takes none to speak of: a place may take some microseconds.
constexpr size_t placesBetweenLooks = 4096;

/// What the ends of one piece may keep for the next ones.
constexpr size_t maxKeptBytes = 1 << 20;

Unigram::Unigram(const artifact::Tokenizer &tokenizer) : tokenizer(tokenizer) {
  tokens.reserve(tokenizer.scored_tokens()->size());
  for (const artifact::ScoredToken *token : *tokenizer.scored_tokens()) {
    std::string_view text = tokenizer.tokens()->Get(uint32_t(token->id()))->string_view();
    Range &range = byFirst[static_cast<unsigned char>(text[0])];
    if (range.begin == range.end)
      range.begin = tokens.size();
    tokens.push_back({text, token->id(), token->score()});
    range.end = tokens.size();
  }
}

template <class Each> void Unigram::forEachPrefix(std::string_view text, Each each) const {
  Range range = byFirst[static_cast<unsigned char>(text[0])];
  auto first = tokens.begin() + std::ptrdiff_t(range.begin), last = tokens.begin() + std::ptrdiff_t(range.end);
  for (size_t length = 1; first != last; ++length) { // all that begin with as many bytes of the text
    if (first->text.size() == length)
      each(*first++);
    if (length == text.size())
      return;
    auto byte = [&](const Token &token) { return static_cast<unsigned char>(token.text[length]); };
    auto next = static_cast<unsigned char>(text[length]);
    first = std::partition_point(first, last, [&](const Token &token) { return byte(token) < next; });
    last = std::partition_point(first, last, [&](const Token &token) { return byte(token) == next; });
  }
}

Status Unigram::findEnds(std::string_view piece, const Deadline &deadline) const {
  bool isSingle = tokenizer.single_precision();
  ends.assign(piece.size() + 1, {});
  for (size_t at = 0, length = 0; at < piece.size(); at += length) {
    if (++places % placesBetweenLooks == 0 && deadline.passed())
      return Status::resourceExhausted("cutting into tokens takes too long on a text of " + std::to_string(piece.size()) +
                                       " bytes");
    std::string_view rest = piece.substr(at);
    length = firstCharacter(rest).length;
    auto consider = [&](size_t size, int32_t id, double score) {
      double sum = score + ends[at].sum;
      if (isSingle)
        sum = float(sum);
      if (End &end = ends[at + size]; end.begin < 0 || sum > end.sum)
        end = {sum, int32_t(at), id};
    };
    bool isToken = false; // the character by itself
    forEachPrefix(rest, [&](const Token &token) {
      consider(token.text.size(), token.id, token.score);
      isToken |= token.text.size() == length;
    });
    if (!isToken)
      consider(length, tokenizer.unknown_token(), tokenizer.unknown_score());
  }
  return {};
}

void Unigram::appendUnknown(std::string_view run, std::vector<int32_t> &ids) const {
  if (tokenizer.match_unknown())
    if (auto found = std::ranges::lower_bound(tokens, run, {}, &Token::text); found != tokens.end() && found->text == run)
      return ids.push_back(found->id);
  const flatbuffers::Vector<int32_t> *fallback = tokenizer.fallback_tokens();
  auto fallbackOf = [&](char byte) { return fallback->Get(static_cast<unsigned char>(byte)); };
  if (!fallback || std::ranges::any_of(run, [&](char byte) { return fallbackOf(byte) < 0; }))
    return ids.push_back(tokenizer.unknown_token());
  for (char byte : run)
    ids.push_back(fallbackOf(byte));
}

void Unigram::appendBest(std::string_view piece, std::vector<int32_t> &ids) const {
  // From the last token back to the first, each of which now says where it ends.
  for (int32_t at = int32_t(piece.size()), behind = -1; at >= 0;) {
    int32_t begin = ends[size_t(at)].begin;
    ends[size_t(at)].begin = behind;
    behind = at;
    at = begin;
  }
  size_t unknown = 0; // bytes before `at` that no token has
  for (int32_t at = 0; at < int32_t(piece.size());) {
    int32_t end = ends[size_t(at)].begin, id = ends[size_t(end)].id;
    bool isUnknown = id == tokenizer.unknown_token();
    if (!isUnknown && unknown)
      appendUnknown(piece.substr(size_t(at) - unknown, unknown), ids);
    unknown = isUnknown ? unknown + size_t(end - at) : 0;
    if (!isUnknown)
      ids.push_back(id);
    at = end;
  }
  if (unknown)
    appendUnknown(piece.substr(piece.size() - unknown), ids);
}

Status Unigram::encode(std::string_view piece, const Deadline &deadline, std::vector<int32_t> &ids) const {
  Status status = findEnds(piece, deadline);
  if (status.ok())
    appendBest(piece, ids);
  if (ends.capacity() * sizeof(End) > maxKeptBytes)
    std::vector<End>().swap(ends);
  return status;
}
