// Text to token ids and back, as an artifact's tokenizer says.
#include "runtime/tokenizer/Tokenizer.h"

#include "runtime/tokenizer/Utf8.h"

#include <cstdlib>
#include <utf8proc.h>

using namespace moec;
using namespace moec::runtime;

namespace {
using Range = Pattern::Range;

/// `text` in a normalization form; false when there is no memory for it.
bool normalize(std::string &text, artifact::Normalizer form) {
  int options = UTF8PROC_STABLE;
  switch (form) {
  case artifact::Normalizer::none:
    return true;
  case artifact::Normalizer::nfc:
    options |= UTF8PROC_COMPOSE;
    break;
  case artifact::Normalizer::nfd:
    options |= UTF8PROC_DECOMPOSE;
    break;
  case artifact::Normalizer::nfkc:
    options |= UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    break;
  case artifact::Normalizer::nfkd:
    options |= UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
    break;
  }
  utf8proc_uint8_t *result = nullptr;
  utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()), utf8proc_ssize_t(text.size()),
                                         &result, utf8proc_option_t(options));
  if (length < 0)
    return false;
  text.assign(reinterpret_cast<const char *>(result), size_t(length));
  std::free(result);
  return true;
}

/// Cuts [0, size) at the matches and joins pieces as `behavior` says.
std::vector<Range> piecesOf(size_t size, const std::vector<Range> &matches, artifact::SplitBehavior behavior, bool invert) {
  struct Piece {
    Range range;
    bool isMatch;
  };
  std::vector<Piece> pieces;
  size_t done = 0;
  for (const Range &match : matches) {
    if (match.begin > done)
      pieces.push_back({{done, match.begin}, invert});
    pieces.push_back({match, !invert});
    done = match.end;
  }
  if (done < size)
    pieces.push_back({{done, size}, invert});

  std::vector<Range> result;
  bool previousIsMatch = false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    auto [range, isMatch] = pieces[i];
    bool join = false; // with the piece before
    switch (behavior) {
    case artifact::SplitBehavior::isolated:
      break;
    case artifact::SplitBehavior::removed:
      if (isMatch)
        continue;
      break;
    case artifact::SplitBehavior::contiguous:
      join = i > 0 && isMatch == previousIsMatch;
      break;
    case artifact::SplitBehavior::merged_with_previous:
      join = i > 0 && isMatch && !previousIsMatch;
      break;
    case artifact::SplitBehavior::merged_with_next:
      join = i > 0 && !isMatch && previousIsMatch;
      break;
    }
    if (join)
      result.back().end = range.end;
    else
      result.push_back(range);
    previousIsMatch = isMatch;
  }
  return result;
}
} // namespace

Tokenizer::Tokenizer(const artifact::Tokenizer &model) : model(model), tokens(model.tokens()), bpe(model) {}

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(std::span<const std::byte> section) {
  auto refuse = [](const std::string &why) { return Status::invalidData("section 'tokenizer': " + why); };
  const auto *data = reinterpret_cast<const uint8_t *>(section.data());
  flatbuffers::Verifier verifier(data, section.size(), /*max_depth=*/16, /*max_tables=*/4'000'000);
  if (section.size() < 8 || section.size() > size_t(1) << 30 || !artifact::TokenizerBufferHasIdentifier(data) ||
      !artifact::VerifyTokenizerBuffer(verifier))
    return refuse("malformed");
  const artifact::Tokenizer &model = *artifact::GetTokenizer(data);
  int64_t size = model.tokens()->size();
  auto known = [&](int64_t id) { return id >= 0 && id < size; };
  if (model.byte_tokens()->size() != 256)
    return refuse("expected 256 byte tokens, got " + std::to_string(model.byte_tokens()->size()));
  for (int32_t id : *model.byte_tokens())
    if (id != -1 && !known(id))
      return refuse("no token " + std::to_string(id));
  for (const artifact::Merge *merge : *model.merges())
    if (!known(merge->left()) || !known(merge->right()) || !known(merge->result()))
      return refuse("a merge of tokens that do not exist");
  for (const auto *ids : {model.prefix_ids(), model.suffix_ids()})
    if (ids)
      for (int32_t id : *ids)
        if (!known(id))
          return refuse("no token " + std::to_string(id));
  if (model.normalizers())
    for (artifact::Normalizer form : *model.normalizers())
      if (form > artifact::Normalizer::MAX)
        return refuse("unknown normalizer");

  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(model));
  tokenizer->special.resize(size_t(size));
  for (const artifact::AddedToken *token : *model.added_tokens()) {
    if (!known(token->id()) || !isUtf8(token->content()->string_view()))
      return refuse("added token " + std::to_string(token->id()) + " does not exist or is no text");
    tokenizer->special[size_t(token->id())] = token->special();
    std::string content = token->content()->str();
    if (token->normalized() && model.normalizers())
      for (artifact::Normalizer form : *model.normalizers())
        if (!normalize(content, form))
          return refuse("an added token cannot be normalized");
    (token->normalized() ? tokenizer->normalizedTokens : tokenizer->rawTokens).add(*token, std::move(content));
  }
  tokenizer->rawTokens.prepare();
  tokenizer->normalizedTokens.prepare();
  if (model.pre_tokenizers())
    for (const artifact::PreTokenizer *split : *model.pre_tokenizers()) {
      if (split->behavior() > artifact::SplitBehavior::MAX)
        return refuse("unknown split behavior");
      Result<Pattern> pattern = Pattern::compile(split->pattern()->string_view());
      if (!pattern.ok())
        return refuse(pattern.status().message());
      tokenizer->splits.push_back({std::move(*pattern), split->behavior(), split->invert()});
    }
  return tokenizer;
}

Status Tokenizer::encodeSegment(std::string_view text, std::vector<int32_t> &ids) const {
  std::string prefixed;
  if (model.add_prefix_space() && !text.starts_with(' ')) {
    prefixed = " ";
    prefixed += text;
    text = prefixed;
  }
  std::vector<Range> pieces{{0, text.size()}}, next, matches;
  for (const Split &split : splits) {
    next.clear();
    for (const Range &piece : pieces) {
      matches.clear();
      MOEC_RETURN_IF_ERROR(split.pattern.findAll(text.substr(piece.begin, piece.end - piece.begin), matches));
      for (const Range &part : piecesOf(piece.end - piece.begin, matches, split.behavior, split.invert))
        next.push_back({piece.begin + part.begin, piece.begin + part.end});
    }
    pieces.swap(next);
  }
  for (const Range &piece : pieces)
    bpe.encode(text.substr(piece.begin, piece.end - piece.begin), ids);
  return {};
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, bool special) const {
  std::string repaired;
  if (!isUtf8(text)) {
    appendLossy(text, repaired);
    text = repaired;
  }
  std::vector<int32_t> ids;
  auto append = [&](const flatbuffers::Vector<int32_t> *around) {
    if (special && around)
      ids.insert(ids.end(), around->begin(), around->end());
  };
  append(model.prefix_ids());
  Status status;
  auto take = [&](int32_t id) { ids.push_back(id); };
  rawTokens.split(
      text,
      [&](std::string_view piece) {
        std::string normalized;
        if (model.normalizers() && model.normalizers()->size()) {
          normalized = piece;
          for (artifact::Normalizer form : *model.normalizers())
            if (!normalize(normalized, form))
              status = Status::resourceExhausted("no memory to normalize a text of " + std::to_string(piece.size()) + " bytes");
          piece = normalized;
        }
        normalizedTokens.split(
            piece,
            [&](std::string_view segment) {
              if (status.ok())
                status = encodeSegment(segment, ids);
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
  return id >= 0 && size_t(id) < size() ? tokens->Get(uint32_t(id))->string_view() : std::string_view();
}

bool Tokenizer::isSpecial(int32_t id) const { return id >= 0 && size_t(id) < special.size() && special[size_t(id)]; }

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skipSpecial) const {
  std::string bytes, text;
  for (int32_t id : ids)
    if (!skipSpecial || !isSpecial(id))
      bytes += bytesOf(id);
  appendLossy(bytes, text);
  return text;
}

std::string StreamDecoder::next(int32_t id) {
  if (!tokenizer.isSpecial(id))
    held += tokenizer.bytesOf(id);
  std::string text;
  std::string_view rest = held;
  while (!rest.empty()) {
    Utf8Character character = firstCharacter(rest);
    if (character.cutOff)
      break;
    appendLossy(rest.substr(0, character.length), text);
    rest.remove_prefix(character.length);
  }
  held = std::string(rest);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  appendLossy(held, text);
  held.clear();
  return text;
}
