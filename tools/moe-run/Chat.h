// --chat: lines from standard input, answers to standard output.
#ifndef MOEC_TOOLS_MOE_RUN_CHAT_H
#define MOEC_TOOLS_MOE_RUN_CHAT_H

#include "runtime/Session.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "tools/moe-run/Options.h"

namespace moec::run {

/// Talks until the input ends: each line is a message of the user, written through the artifact's chat template together with all
/// messages before it. Only what is new of the text goes through the model. Returns the exit code.
runtime::Result<int> chat(const Options &options, const runtime::Artifact &artifact, runtime::Session &session,
                          const runtime::Tokenizer &tokenizer);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_CHAT_H
