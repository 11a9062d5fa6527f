// What goes in: ids or text, from the command line or files.
#ifndef MOEC_TOOLS_MOE_RUN_INPUT_H
#define MOEC_TOOLS_MOE_RUN_INPUT_H

#include "runtime/tokenizer/Tokenizer.h"
#include "tools/moe-run/Options.h"

namespace moec::run {

runtime::Result<std::string> readText(const std::string &path);

/// The ids of what the options give, as ids or as text; `tokenizer` may be null when these are ids.
runtime::Result<std::vector<int32_t>> givenIds(const Options &options, const runtime::Tokenizer *tokenizer);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_INPUT_H
