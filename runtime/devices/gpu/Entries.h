// What a GPU is asked to run: the entries of GPU code.
#ifndef MOEC_RUNTIME_DEVICES_GPU_ENTRIES_H
#define MOEC_RUNTIME_DEVICES_GPU_ENTRIES_H

#include "runtime/artifact/Artifact.h"
#include "runtime/kernels/Kernel.h"

#include <array>
#include <optional>
#include <vector>

namespace moec::runtime::gpu {

/// Blocks in each direction, x first.
using Grid = std::array<uint32_t, 3>;

/// A kernel, or a chain of kernels that one cooperative launch runs one after the other. Refers to the manifest.
struct Entry {
  const char *symbol;
  std::vector<uint32_t> kernels; ///< places in the code's kernels
  bool isChain;
  uint32_t threads;     ///< of a block
  uint32_t sharedBytes; ///< of a block, dynamic

  /// The grid of a launch in a step, or nothing when there is nothing to do; of a chain with at most `residentBlocks`. Within
  /// bounds, as the manifest was verified.
  std::optional<Grid> gridOf(const artifact::GpuCode &code, const StepNumbers &numbers, uint64_t residentBlocks) const;
};

/// The entries of verified code: its kernels in order, then its chains.
std::vector<Entry> entriesOf(const artifact::Manifest &manifest, const artifact::GpuCode &code);

} // namespace moec::runtime::gpu

#endif // MOEC_RUNTIME_DEVICES_GPU_ENTRIES_H
