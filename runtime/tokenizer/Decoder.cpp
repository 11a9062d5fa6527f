// Token ids to text, at once or as they come.
#include "runtime/tokenizer/Decoder.h"

#include "runtime/tokenizer/Utf8.h"

using namespace moec;
using namespace moec::runtime;

/// `text` with every `from` replaced.
static std::string withReplaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != std::string_view::npos; at = found + from.size())
    result.append(text, at, found - at).append(to);
  return result.append(text, at);
}

/// The byte of a token like <0xE4>.
static std::optional<char> byteOf(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>')
    return std::nullopt;
  int value = 0;
  for (char digit : token.substr(3, 2)) {
    int number = digit >= '0' && digit <= '9'   ? digit - '0'
                 : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                 : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                : -1;
    if (number < 0)
      return std::nullopt;
    value = value * 16 + number;
  }
  return char(value);
}

Result<Decoder> Decoder::create(const artifact::Tokenizer &tokenizer) {
  Decoder result;
  result.tokens = tokenizer.tokens();
  result.byteLevel = tokenizer.byte_level();
  const artifact::Decoder *stored = tokenizer.decoder();
  if (!stored || result.byteLevel)
    return result;
  result.byteFallback = stored->byte_fallback();
  result.brokenBytes = stored->broken_bytes();
  if (stored->first_loses())
    result.firstLoses = stored->first_loses()->str();
  if (stored->strip())
    result.strip = stored->strip()->str();
  result.stripCount = stored->strip_count();
  if (result.stripCount < 0 || (result.stripCount > 0 && result.strip.empty()))
    return Status::invalidData("the decoder strips nothing");
  if (!stored->replacements() || stored->replacements()->size() == 0)
    return result;
  for (const artifact::Replacement *replacement : *stored->replacements()) {
    result.replacements.emplace_back(replacement->from()->str(), replacement->to()->str());
    const auto &[from, to] = result.replacements.back();
    if (from.empty() || to.size() > from.size())
      return Status::invalidData("the decoder lengthens tokens");
  }
  for (const auto *token : *tokenizer.tokens())
    result.texts.push_back(result.withReplacements(token->str()));
  return result;
}

std::string Decoder::withReplacements(std::string token) const {
  for (const auto &[from, to] : replacements)
    token = withReplaced(token, from, to);
  return token;
}

void Decoder::rename(int32_t id, std::string name) {
  if (!texts.empty())
    texts[size_t(id)] = withReplacements(name);
  names[id] = std::move(name);
}

std::string_view Decoder::nameOf(int32_t id) const {
  if (id < 0 || size_t(id) >= tokens->size())
    return {};
  auto renamed = names.find(id);
  return renamed == names.end() ? tokens->Get(uint32_t(id))->string_view() : renamed->second;
}

void Decoder::Stream::next(int32_t id, std::string &text) {
  std::string_view token = decoder.nameOf(id);
  if (token.empty())
    return;
  if (!decoder.byteLevel) {
    std::string shortened;
    if (std::exchange(isFirst, false) && !decoder.firstLoses.empty())
      token = shortened = withReplaced(token, decoder.firstLoses, "");
    else if (!decoder.texts.empty())
      token = decoder.texts[size_t(id)];
    if (std::optional<char> byte = decoder.byteFallback ? byteOf(token) : std::nullopt) {
      held += *byte;
    } else {
      endRun(text);
      append(token, text);
    }
    return;
  }
  held += token;
  std::string_view rest = held;
  while (!rest.empty()) {
    Utf8Character character = firstCharacter(rest);
    if (character.cutOff)
      break;
    appendLossy(rest.substr(0, character.length), text);
    rest.remove_prefix(character.length);
  }
  held = std::string(rest);
}

void Decoder::Stream::endRun(std::string &text) {
  std::string run = std::exchange(held, {});
  bool isText = isUtf8(run);
  for (std::string_view rest = run; !rest.empty();) {
    Utf8Character character = firstCharacter(rest);
    bool stays = character.valid && (isText || decoder.brokenBytes);
    append(stays ? rest.substr(0, character.length) : "\ufffd", text);
    rest.remove_prefix(stays ? character.length : 1);
  }
}

void Decoder::Stream::append(std::string_view piece, std::string &text) {
  while (toStrip > 0 && !piece.empty()) {
    if (!piece.starts_with(decoder.strip)) {
      toStrip = 0;
      break;
    }
    piece.remove_prefix(decoder.strip.size());
    --toStrip;
  }
  appendLossy(piece, text); // an artifact's tokens could be anything
}

void Decoder::Stream::finish(std::string &text) {
  if (!decoder.byteLevel)
    return endRun(text);
  appendLossy(held, text);
  held.clear();
}
