// The characters by which byte-level vocabularies spell bytes (GPT-2's bytes_to_unicode).
#ifndef MOEC_IMPORTERS_TOKENIZER_BYTEALPHABET_H
#define MOEC_IMPORTERS_TOKENIZER_BYTEALPHABET_H

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace moec::importers {

/// The character that stands for `byte`, in UTF-8: itself when it is printable in Latin-1, else U+0100 and on in order.
std::string alphabetOf(unsigned char byte);

/// The bytes that `token` spells, or nothing when it has a character outside the alphabet.
std::optional<std::string> bytesInAlphabet(llvm::StringRef token);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_TOKENIZER_BYTEALPHABET_H
