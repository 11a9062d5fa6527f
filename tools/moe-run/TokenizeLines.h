// --tokenize: ids and text of every line of a file.
#ifndef MOEC_TOOLS_MOE_RUN_TOKENIZELINES_H
#define MOEC_TOOLS_MOE_RUN_TOKENIZELINES_H

#include "runtime/tokenizer/Tokenizer.h"

#include <string>

namespace moec::run {

/// Reads lines {"text": ...} or {"ids": [...]} from `path` and prints {"ids", "ids_special", "decoded"} for each; special tokens
/// are kept in the decoded text.
runtime::Status tokenizeLines(const runtime::Tokenizer &tokenizer, const std::string &path);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_TOKENIZELINES_H
