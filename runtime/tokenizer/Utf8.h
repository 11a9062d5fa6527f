// UTF-8 as byte sequences that may be broken.
#ifndef MOEC_RUNTIME_TOKENIZER_UTF8_H
#define MOEC_RUNTIME_TOKENIZER_UTF8_H

#include <cstddef>
#include <string>
#include <string_view>

namespace moec::runtime {

/// No text of a tokenizer becomes longer.
constexpr size_t maxTextBytes = size_t(1) << 30;

/// The character at the start of `text`: its length when it is whole and valid. Otherwise how many bytes one replacement character
/// stands for (the longest start of a valid sequence, at least one byte: Unicode 3.9, U+FFFD substitution of maximal subparts).
struct Utf8Character {
  size_t length = 0;
  bool valid = false;
  bool cutOff = false; ///< not valid only because the text ends
  char32_t code = 0;   ///< when valid
};
Utf8Character firstCharacter(std::string_view text);

/// Whether a byte goes on with a character that an earlier one began.
inline bool isContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

/// Where the last character of `text`, which is valid and not empty, starts.
size_t lastCharacterStart(std::string_view text);

/// Appends the character `code` (a Unicode scalar value).
void appendCharacter(char32_t code, std::string &text);

/// Whether all of `text` is valid.
bool isUtf8(std::string_view text);

/// Appends `bytes` with a replacement character for every broken sequence.
void appendLossy(std::string_view bytes, std::string &text);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_UTF8_H
