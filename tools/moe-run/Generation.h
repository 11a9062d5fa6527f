// The main use: ids or a text go in, results are recorded, and the model goes on writing.
#ifndef MOEC_TOOLS_MOE_RUN_GENERATION_H
#define MOEC_TOOLS_MOE_RUN_GENERATION_H

#include "runtime/Session.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "tools/moe-run/Options.h"

namespace moec::run {

/// Feeds `ids` and generates. Prints the text as it comes (or, without a tokenizer, the ids at the end), or one JSON object.
/// Returns the exit code.
runtime::Result<int> generate(const Options &options, runtime::Session &session, const runtime::Tokenizer *tokenizer,
                              std::vector<int32_t> ids);

/// Writes text to standard output at once.
void printText(const std::string &text);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_GENERATION_H
