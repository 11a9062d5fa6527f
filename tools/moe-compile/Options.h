// The command line of moe-compile.
#ifndef MOEC_TOOLS_MOE_COMPILE_OPTIONS_H
#define MOEC_TOOLS_MOE_COMPILE_OPTIONS_H

#include "lowering/nvptx/Target.h"
#include "lowering/x86/Target.h"
#include "passes/Passes.h"

#include <optional>
#include <string>
#include <vector>

namespace moec::compile {

/// What a model goes through, in order. IR can be printed after, and read back in after, each but the last.
enum class Phase { Import, Normalize, Optimize, Plan, Codegen, Artifact };

struct Options {
  std::string input, output, remarks;
  std::vector<const lowering::x86::Target *> x86Targets = {};
  std::vector<const lowering::nvptx::Target *> gpuTargets = {};
  std::vector<std::string> chips = {}; ///< to assemble GPU code for ahead of time, with the program at `assembler`
  std::string assembler = {};
  Phase from = Phase::Import, to = Phase::Artifact;
  moe::Compute compute = moe::Compute::F32;
  passes::WeightFormat weightFormat = passes::WeightFormat::AsStored;
  bool embedWeights = true, dryRun = false, json = false, locations = false, raise = true;
  int64_t memory = 0; ///< bytes that --dry-run compares with; 0 for this machine's
  int64_t maxSequence = 0, maxBatch = 8, maxTokens = 512;
};

/// Parses the arguments. Returns an exit code when there is nothing left to do.
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace moec::compile

#endif // MOEC_TOOLS_MOE_COMPILE_OPTIONS_H
