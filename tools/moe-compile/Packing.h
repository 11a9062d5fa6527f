// The last phase: what was compiled, with weights and tokenizer, becomes one file.
#ifndef MOEC_TOOLS_MOE_COMPILE_PACKING_H
#define MOEC_TOOLS_MOE_COMPILE_PACKING_H

#include "tools/moe-compile/Compilation.h"

namespace moec::compile {

/// Writes the artifact that the options name. What is not in the compilation comes from the folder of its model.
llvm::Error writeArtifact(Compilation &compilation, const Options &options);

} // namespace moec::compile

#endif // MOEC_TOOLS_MOE_COMPILE_PACKING_H
