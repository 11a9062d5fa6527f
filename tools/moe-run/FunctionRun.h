// Runs a function of named tensors: arrays in, arrays out.
#ifndef MOEC_TOOLS_MOE_RUN_FUNCTIONRUN_H
#define MOEC_TOOLS_MOE_RUN_FUNCTIONRUN_H

#include "runtime/artifact/Artifact.h"
#include "tools/moe-run/Options.h"

namespace moec::run {

/// Reads the files of --input, runs the artifact's function, writes those of --output, and compares with --expect. The exit code.
runtime::Result<int> runFunction(const Options &options, const runtime::Artifact &artifact);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_FUNCTIONRUN_H
