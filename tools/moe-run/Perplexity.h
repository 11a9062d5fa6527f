// --perplexity: how well the model predicts a text.
#ifndef MOEC_TOOLS_MOE_RUN_PERPLEXITY_H
#define MOEC_TOOLS_MOE_RUN_PERPLEXITY_H

#include "runtime/Session.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "tools/moe-run/Options.h"

namespace moec::run {

/// Prints the perplexity of the text that the options name. Its ids, without special tokens, are cut into windows; each window is
/// run by itself after one BOS.
runtime::Status reportPerplexity(const Options &options, runtime::Session &session, const runtime::Tokenizer &tokenizer);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_PERPLEXITY_H
