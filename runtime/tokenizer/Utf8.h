// UTF-8 as byte sequences that may be broken.
#ifndef MOEC_RUNTIME_TOKENIZER_UTF8_H
#define MOEC_RUNTIME_TOKENIZER_UTF8_H

#include <cstddef>
#include <string>
#include <string_view>

namespace moec::runtime {

/// The character at the start of `text`: its length when it is whole and valid. Otherwise how many bytes one replacement character
/// stands for (the longest start of a valid sequence, at least one byte: Unicode 3.9, U+FFFD substitution of maximal subparts).
struct Utf8Character {
  size_t length = 0;
  bool valid = false;
  bool cutOff = false; ///< not valid only because the text ends
  char32_t code = 0;   ///< when valid
};
Utf8Character firstCharacter(std::string_view text);

/// Whether all of `text` is valid.
bool isUtf8(std::string_view text);

/// Appends `bytes` with a replacement character for every broken sequence.
void appendLossy(std::string_view bytes, std::string &text);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_UTF8_H
