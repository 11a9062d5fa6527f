// Code of the kernels of a plan for one generation of GPUs, and how each kernel is launched.
#ifndef MOEC_LOWERING_GPUCODE_H
#define MOEC_LOWERING_GPUCODE_H

#include "dialects/plan/Plan.h"

#include <string>
#include <vector>

namespace moec::lowering {

/// addend + factor x ceil(units / divisor), where units is the step's value of `extent` (1 for constant).
struct LaunchDimension {
  plan::Extent extent = plan::Extent::Constant;
  int64_t divisor = 1;
  int64_t factor = 0;
  int64_t addend = 0;
};

/// How a kernel is launched.
struct LaunchShape {
  int64_t threads = 0;               ///< of a block, which is one-dimensional
  std::vector<LaunchDimension> grid; ///< one to three; no launch where one is 0
  int64_t sharedBytes = 0;           ///< of a block, dynamic
  LaunchDimension workspace;         ///< bytes of global memory that the launch has for itself
  int64_t counterBytes = 0;          ///< leading bytes of it that are zero between launches
};

/// Kernels that one cooperative launch runs one after the other: its blocks, all of which are there at once, share each kernel's
/// grid and meet before the next. Its entry takes the buffers and the workspace of each kernel in order, then the address of a
/// 32-bit counter that is zero between launches, then the step's numbers.
struct LaunchChain {
  std::string name;
  std::vector<size_t> kernels; ///< places in GpuCode::shapes
  int64_t mostRows = 0;        ///< of its kernels in any launch
};

/// Launches of a program that a chain replaces: from `first` on, as many as it has kernels.
struct ChainedLaunches {
  size_t first = 0;
  size_t chain = 0;
};

/// What an assembler says of a kernel for one chip.
struct AssembledKernel {
  int64_t registers = 0, sharedBytes = 0, localBytes = 0, spillStoreBytes = 0, spillLoadBytes = 0;
};

/// Machine code for one chip, made ahead of time.
struct ChipCode {
  std::string chip, section, bytes;     ///< `section` is the name of the artifact's section
  std::vector<AssembledKernel> kernels; ///< of each plan.kernel in order, then of each chain
};

struct GpuCode {
  std::string target;              ///< as `--target` names it
  int minComputeCapability = 0;    ///< of chips that run it: major x 10 + minor
  std::string section;             ///< name of the artifact's section for the text
  std::string text;                ///< every plan.kernel is an entry under its symbol's name, and so is every chain
  std::vector<LaunchShape> shapes; ///< of each plan.kernel, in order
  std::vector<LaunchChain> chains;
  std::vector<std::vector<ChainedLaunches>> programs; ///< of each plan.program, in order of the launches
  std::vector<ChipCode> chips;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_GPUCODE_H
