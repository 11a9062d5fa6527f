// Characters that are newer than PCRE2's tables, by what the reference's regular expressions know of them.
#ifndef MOEC_IMPORTERS_TOKENIZER_NEWERCHARACTERS_H
#define MOEC_IMPORTERS_TOKENIZER_NEWERCHARACTERS_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace moec::importers::tokenizer {

/// The ranges, spelt as members of a character class of PCRE2, that the general category `name` ("L", "Nd", ...) has in Unicode 16
/// and lacks in Unicode 14.
std::string newerMembers(llvm::StringRef name);

/// The same for the script Han.
std::string newerHan();

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_NEWERCHARACTERS_H
