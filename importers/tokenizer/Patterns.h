// Regular expressions of a tokenizer.json, which Oniguruma reads, as PCRE2 reads them.
#ifndef MOEC_IMPORTERS_TOKENIZER_PATTERNS_H
#define MOEC_IMPORTERS_TOKENIZER_PATTERNS_H

#include "importers/tokenizer/Node.h"

namespace moec::importers::tokenizer {

/// The pattern of PCRE2 (with UTF, UCP and MULTILINE) that matches what `pattern` matches in Oniguruma with Ruby's syntax. What is
/// not known to mean the same in both, or spelt out here, is refused by name.
llvm::Expected<std::string> translatePattern(llvm::StringRef pattern);

/// The same for what tiktoken reads, to which ^ and $ are ends of the text: those are refused.
llvm::Expected<std::string> translateTextPattern(llvm::StringRef pattern);

/// A pattern that matches `literal`.
std::string escapePattern(llvm::StringRef literal);

/// The pattern that {"Regex": ...} or {"String": ...} stands for.
std::string readPattern(const Node &pattern);

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_PATTERNS_H
