// The kernels that measure a GPU, as PTX: each block does the same amount of work, and nothing that could be left out.
#ifndef MOEC_TOOLS_MOE_BENCH_GPUKERNELS_H
#define MOEC_TOOLS_MOE_BENCH_GPUKERNELS_H

#include <cstdint>
#include <string>

namespace moec::bench {

/// The entry is called "measure". Its parameters are addresses: where to read, and where it would write a result that never comes.
struct GpuKernel {
  std::string text;
  uint32_t threads;
  uint64_t workPerBlock;  ///< bytes or FLOP
  uint64_t bytesPerBlock; ///< of memory that a block reads, after those of the blocks before it
  uint32_t capability;    ///< 10 x major + minor of the oldest GPUs that run it
};

GpuKernel readKernel();
GpuKernel multiplyF32Kernel();
GpuKernel multiplyBf16Kernel();

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_GPUKERNELS_H
