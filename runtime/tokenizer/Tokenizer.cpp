// Text to token ids and back, as an artifact's tokenizer says.
#include "runtime/tokenizer/Tokenizer.h"

#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <cmath>

using namespace moec;
using namespace moec::runtime;

/// The same of tokens with scores.
static Status verifyScores(const artifact::Tokenizer &model) {
  if (model.vocabulary() || model.merges()->size() || model.byte_level())
    return Status::invalidData("expected scores of tokens or merges of them, got both");
  if (model.unknown_token() < 0 || !std::isfinite(model.unknown_score()))
    return Status::invalidData("expected an unknown token with a score beside tokens with scores");
  constexpr auto maxScoredBytes = size_t(artifact::TokenizerLimit::max_scored_bytes);
  std::string_view before;
  for (const artifact::ScoredToken *token : *model.scored_tokens()) {
    if (token->id() < 0 || uint32_t(token->id()) >= model.tokens()->size() || !std::isfinite(token->score()))
      return Status::invalidData("a scored token that does not exist or has no score");
    std::string_view text = model.tokens()->Get(uint32_t(token->id()))->string_view();
    if (text <= before || text.size() > maxScoredBytes)
      return Status::invalidData("expected scored tokens of 1 to " + std::to_string(maxScoredBytes) +
                                 " bytes in the order of their texts");
    before = text;
  }
  return {};
}

static Status verifyMerges(const artifact::Tokenizer &model) {
  int64_t size = model.tokens()->size();
  auto known = [&](int64_t id) { return id >= 0 && id < size; };
  auto tokenOf = [&](int32_t id) { return model.tokens()->Get(uint32_t(id))->string_view(); };
  auto isBoth = [](std::string_view whole, std::string_view left, std::string_view right) {
    return whole.size() == left.size() + right.size() && whole.starts_with(left) && whole.ends_with(right);
  };
  if (!model.vocabulary())
    return Status::invalidData("expected a vocabulary or scores of tokens, got neither");
  for (const artifact::Merge *merge : *model.merges())
    if (!known(merge->left()) || !known(merge->right()) || !known(merge->result()))
      return Status::invalidData("a merge of tokens that do not exist");
    else if (!isBoth(tokenOf(merge->result()), tokenOf(merge->left()), tokenOf(merge->right())))
      return Status::invalidData("token " + std::to_string(merge->result()) + " is not what its parts are together");
  if (const auto *ranks = model.merge_ranks()) {
    if (ranks->size() != model.merges()->size())
      return Status::invalidData("expected a rank for each of " + std::to_string(model.merges()->size()) + " merges, got " +
                                 std::to_string(ranks->size()));
    if (!std::ranges::all_of(*ranks, [&](uint32_t rank) { return rank < ranks->size(); }))
      return Status::invalidData("a merge's rank is not below the number of merges");
  }
  return {};
}

/// Why the parts of a well-formed section do not fit together; ok when they do.
static Status verify(const artifact::Tokenizer &model) {
  int64_t size = model.tokens()->size();
  auto known = [&](int64_t id) { return id >= 0 && id < size; };
  auto knownOrNone = [&](int64_t id) { return id == -1 || known(id); };
  if (model.fallback_tokens() && model.fallback_tokens()->size() != 256)
    return Status::invalidData("expected 256 fallback tokens, got " + std::to_string(model.fallback_tokens()->size()));
  if (model.fallback_tokens() && !std::ranges::all_of(*model.fallback_tokens(), knownOrNone))
    return Status::invalidData("a fallback token that does not exist");
  if (!knownOrNone(model.unknown_token()))
    return Status::invalidData("no token " + std::to_string(model.unknown_token()));
  MOEC_RETURN_IF_ERROR(model.scored_tokens() ? verifyScores(model) : verifyMerges(model));
  for (const auto *ids : {model.vocabulary(), model.prefix_ids(), model.suffix_ids()})
    if (ids)
      for (int32_t id : *ids)
        if (!known(id))
          return Status::invalidData("no token " + std::to_string(id));
  for (const artifact::AddedToken *token : *model.added_tokens())
    if (!known(token->id()) || !isUtf8(token->content()->string_view()))
      return Status::invalidData("added token " + std::to_string(token->id()) + " does not exist or is no text");
  return {};
}

static std::variant<Bpe, Unigram> encoderOf(const artifact::Tokenizer &model) {
  if (model.scored_tokens())
    return Unigram(model);
  return Bpe(model);
}

Tokenizer::Tokenizer(const artifact::Tokenizer &model, Normalizer normalizer, PreTokenizer preTokenizer, Decoder decoder)
    : model(model), normalizer(std::move(normalizer)), preTokenizer(std::move(preTokenizer)), pieceEncoder(encoderOf(model)),
      decoder(std::move(decoder)), special(model.tokens()->size()) {}

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(std::span<const std::byte> section) {
  auto refuse = [](const std::string &why) { return Status::invalidData("section 'tokenizer': " + why); };
  const auto *data = reinterpret_cast<const uint8_t *>(section.data());
  flatbuffers::Verifier verifier(data, section.size(), /*max_depth=*/16, /*max_tables=*/4'000'000);
  if (section.size() < 8 || section.size() > size_t(1) << 30 || !artifact::TokenizerBufferHasIdentifier(data) ||
      !artifact::VerifyTokenizerBuffer(verifier))
    return refuse("malformed");
  const artifact::Tokenizer &model = *artifact::GetTokenizer(data);
  if (Status status = verify(model); !status.ok())
    return refuse(status.message());
  Result<Normalizer> normalizer = Normalizer::create(model);
  Result<PreTokenizer> preTokenizer = PreTokenizer::create(model);
  Result<Decoder> decoder = Decoder::create(model);
  for (const Status &status : {normalizer.status(), preTokenizer.status(), decoder.status()})
    if (!status.ok())
      return refuse(status.message());
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(model, std::move(*normalizer), std::move(*preTokenizer), std::move(*decoder)));
  if (Status status = tokenizer->readAddedTokens(); !status.ok())
    return refuse(status.message());
  return tokenizer;
}

Status Tokenizer::readAddedTokens() {
  for (const artifact::AddedToken *token : *model.added_tokens()) {
    special[size_t(token->id())] = token->special();
    std::string content = token->content()->str();
    if (token->inside()) {
      insideTokens.add(*token, std::move(content));
      continue;
    }
    if (token->normalized()) {
      MOEC_RETURN_IF_ERROR(normalizer.apply(content, Deadline(content.size())));
      if (content != token->content()->string_view())
        decoder.rename(token->id(), content); // so it decodes in the reference too
    }
    (token->normalized() ? normalizedTokens : rawTokens).add(*token, std::move(content));
  }
  rawTokens.prepare();
  insideTokens.prepare();
  normalizedTokens.prepare();
  return {};
}

Status Tokenizer::encodeSegment(std::string text, bool beginsText, const Deadline &deadline, std::vector<int32_t> &ids) const {
  Status status;
  auto encodePiece = [&](std::string_view part) {
    if (const auto *merging = std::get_if<Bpe>(&pieceEncoder))
      merging->encode(part, ids);
    else if (status.ok())
      status = std::get<Unigram>(pieceEncoder).encode(part, deadline, ids);
  };
  std::vector<Range> pieces;
  MOEC_RETURN_IF_ERROR(preTokenizer.cut(text, beginsText, deadline, pieces));
  for (const Range &piece : pieces)
    insideTokens.split(
        std::string_view(text).substr(piece.begin, piece.end - piece.begin), [&](std::string_view part) { encodePiece(part); },
        [&](int32_t id) { ids.push_back(id); });
  return status;
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, bool special) const {
  if (text.size() > maxTextBytes)
    return Status::invalidArgument("a text of " + std::to_string(text.size()) + " bytes, expected at most " +
                                   std::to_string(maxTextBytes));
  std::string repaired;
  if (!isUtf8(text)) {
    appendLossy(text, repaired);
    text = repaired;
  }
  Deadline deadline(text.size());
  std::vector<int32_t> ids;
  auto append = [&](const flatbuffers::Vector<int32_t> *around) {
    if (special && around)
      ids.insert(ids.end(), around->begin(), around->end());
  };
  append(model.prefix_ids());
  Status status;
  bool beginsText = true;
  auto take = [&](int32_t id) {
    ids.push_back(id);
    beginsText = false;
  };
  rawTokens.split(
      text,
      [&](std::string_view piece) {
        std::string normalized(piece);
        if (status.ok())
          status = normalizer.apply(normalized, deadline);
        if (!status.ok())
          return;
        normalizedTokens.split(
            normalized,
            [&](std::string_view segment) {
              if (status.ok())
                status = encodeSegment(std::string(segment), beginsText, deadline, ids);
              beginsText = false;
            },
            take);
      },
      take);
  if (!status.ok())
    return status;
  append(model.suffix_ids());
  return ids;
}

std::string_view Tokenizer::bytesOf(int32_t id) const {
  return id >= 0 && size_t(id) < size() ? model.tokens()->Get(uint32_t(id))->string_view() : std::string_view();
}

bool Tokenizer::isSpecial(int32_t id) const { return id >= 0 && size_t(id) < special.size() && special[size_t(id)]; }

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skipSpecial) const {
  std::string text;
  Decoder::Stream stream(decoder, /*beginsText=*/true);
  for (int32_t id : ids)
    if (!skipSpecial || !isSpecial(id))
      stream.next(id, text);
  stream.finish(text);
  return text;
}

std::string StreamDecoder::next(int32_t id) {
  std::string text;
  if (!tokenizer.isSpecial(id))
    stream.next(id, text);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  stream.finish(text);
  return text;
}
