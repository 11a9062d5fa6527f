// Normal forms and lower case of Unicode text, as the reference computes them.
#ifndef MOEC_RUNTIME_TOKENIZER_UNICODEFORMS_H
#define MOEC_RUNTIME_TOKENIZER_UNICODEFORMS_H

#include <string>
#include <string_view>

namespace moec::runtime {

struct NormalForm {
  bool compose;    ///< NFC and NFKC, else NFD and NFKD
  bool compatible; ///< NFKC and NFKD, else NFC and NFD
};

/// `text` (valid UTF-8) in a normal form of UAX 15, by the tables of Unicode 9: characters that are newer stay as they are. Takes
/// time O(n log n) even where every character is a combining mark.
std::string normalForm(std::string_view text, NormalForm form);

/// Whether Unicode calls the character white space.
bool isWhiteSpace(char32_t code);

/// Each character by its own full lower case, without regard to its neighbours.
std::string lowerCase(std::string_view text);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_UNICODEFORMS_H
