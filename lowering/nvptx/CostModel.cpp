// Waves and bytes.
#include "lowering/nvptx/CostModel.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace moec::lowering::nvptx;

Cost Cost::operator+(const Cost &other) const {
  return {blocks + other.blocks, waves + other.waves, bytes + other.bytes, microseconds + other.microseconds};
}

std::string Cost::describe() const {
  return llvm::formatv("{0} blocks in {1} {2}, {3:f1} MB, {4:f1} us", blocks, waves, waves == 1 ? "wave" : "waves", bytes / 1e6,
                       microseconds);
}

Cost moec::lowering::nvptx::costOf(const Work &work, const Machine &machine) {
  int64_t waves = int64_t(llvm::divideCeil(uint64_t(work.blocks), uint64_t(machine.multiprocessors * work.blocksAtOnce)));
  double microseconds = std::max(
      {double(waves) * work.microseconds, work.bytes / machine.cacheBandwidth, work.distinctBytes / machine.memoryBandwidth});
  return {work.blocks, waves, work.bytes, microseconds};
}
