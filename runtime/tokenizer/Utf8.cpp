// UTF-8 as byte sequences that may be broken.
#include "runtime/tokenizer/Utf8.h"

using namespace moec::runtime;

Utf8Character moec::runtime::firstCharacter(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  if (lead < 0x80)
    return {1, true, false, lead};
  // The second byte's range is narrower after some leads: no overlong forms, surrogates or codes above U+10FFFF.
  size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
  if (length == 0)
    return {1, false, false, 0};
  unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80, high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  char32_t code = lead & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size())
      return {i, false, true, 0};
    if (byte(i) < low || byte(i) > high)
      return {i, false, false, 0};
    code = code << 6 | (byte(i) & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return {length, true, false, code};
}

size_t moec::runtime::lastCharacterStart(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && isContinuation(text[at]))
    --at;
  return at;
}

void moec::runtime::appendCharacter(char32_t code, std::string &text) {
  if (code < 0x80)
    text += char(code);
  else if (code < 0x800)
    text += {char(0xc0 | code >> 6), char(0x80 | (code & 0x3f))};
  else if (code < 0x10000)
    text += {char(0xe0 | code >> 12), char(0x80 | (code >> 6 & 0x3f)), char(0x80 | (code & 0x3f))};
  else
    text +=
        {char(0xf0 | code >> 18), char(0x80 | (code >> 12 & 0x3f)), char(0x80 | (code >> 6 & 0x3f)), char(0x80 | (code & 0x3f))};
}

bool moec::runtime::isUtf8(std::string_view text) {
  while (!text.empty()) {
    Utf8Character character = firstCharacter(text);
    if (!character.valid)
      return false;
    text.remove_prefix(character.length);
  }
  return true;
}

void moec::runtime::appendLossy(std::string_view bytes, std::string &text) {
  while (!bytes.empty()) {
    Utf8Character character = firstCharacter(bytes);
    if (character.valid)
      text += bytes.substr(0, character.length);
    else
      text += "\xef\xbf\xbd";
    bytes.remove_prefix(character.length);
  }
}
