// The generations of GPUs.
#include "lowering/nvptx/Target.h"

#include "llvm/ADT/STLExtras.h"

using namespace moec::lowering::nvptx;

static const char *const ampereAndLater[] = {"sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"};

/// With 80 GB of memory; what its cache reaches when it is only read.
static constexpr Machine a100{.multiprocessors = 108, .memoryBandwidth = 2e6, .cacheBandwidth = 4e6, .launchMicroseconds = 2};

static const Target targets[] = {
    {.name = "simt",
     .processor = "sm_75",
     .features = "+ptx63",
     .minComputeCapability = 75,
     .sharedBytes = 48 << 10,
     .hasMatrixUnits = false,
     .chips = {},
     .machine = a100},
    {.name = "sm_80",
     .processor = "sm_80",
     .features = "+ptx70",
     .minComputeCapability = 80,
     .sharedBytes = 99 << 10, // of compute capability 8.6, the least of all from 8.0 on
     .hasMatrixUnits = true,
     .chips = ampereAndLater,
     .machine = a100},
};

llvm::ArrayRef<Target> moec::lowering::nvptx::allTargets() { return targets; }

const Target *moec::lowering::nvptx::findTarget(llvm::StringRef name) {
  const Target *found = llvm::find_if(targets, [&](const Target &target) { return target.name == name; });
  return found == std::end(targets) ? nullptr : found;
}
