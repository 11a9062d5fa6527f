// What a generation of GPUs can do, as far as kernels care.
#ifndef MOEC_LOWERING_NVPTX_TARGET_H
#define MOEC_LOWERING_NVPTX_TARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace moec::lowering::nvptx {

/// The GPU that costs are estimated for: what the cheapest way is on one is seldom dear on its kin.
struct Machine {
  int64_t multiprocessors;
  double memoryBandwidth, cacheBandwidth; ///< bytes a microsecond, of memory and of the second-level cache
  double launchMicroseconds; ///< from the end of a launch's work to the next one's, less what a barrier of the grid takes
};

struct Target {
  llvm::StringRef name;               ///< for `--target` and in artifacts
  llvm::StringRef processor;          ///< LLVM's name of the processor to generate for
  llvm::StringRef features;           ///< LLVM's flags: the version of PTX
  int minComputeCapability;           ///< the least that runs the code: major x 10 + minor
  int64_t sharedBytes;                ///< shared memory that one block can have on every such GPU
  bool hasMatrixUnits;                ///< products of bf16 tiles that accumulate in f32, and loads of their operands
  llvm::ArrayRef<const char *> chips; ///< for which the assembler, where there is one, makes machine code ahead of time
  Machine machine;
};

/// Every target, most general first.
llvm::ArrayRef<Target> allTargets();
/// Null for an unknown name.
const Target *findTarget(llvm::StringRef name);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_TARGET_H
