// The kernels of an artifact's GPU code, loaded into a context.
#ifndef MOEC_RUNTIME_DEVICES_CUDA_KERNELS_H
#define MOEC_RUNTIME_DEVICES_CUDA_KERNELS_H

#include "runtime/artifact/Artifact.h"
#include "runtime/devices/cuda/Owned.h"
#include "runtime/devices/gpu/Entries.h"

#include <vector>

namespace moec::runtime::cuda {

/// What a GPU is.
struct Gpu {
  int ordinal = 0;
  std::string name;
  uint32_t capability = 0; ///< 10 x major + minor
  uint32_t maxSharedBytes = 0;
  uint32_t multiprocessors = 0;
  bool isCooperative = false; ///< whether blocks of a launch can wait for each other

  static Result<Gpu> find(const Driver &driver, int ordinal);
};

/// An entry of the code as the driver has it.
struct LoadedEntry {
  gpu::Entry entry;
  Function function;
  uint64_t residentBlocks; ///< of a chain: how many can be there at once, 0 where none can wait for another
};

class Kernels {
public:
  explicit Kernels(const Driver &driver) : driver(driver) {}

  /// Loads the code that was assembled for the GPU's chip, or else the PTX, and finds every entry of it. The PTX it is too when
  /// the assembled code does not load.
  Status load(const Artifact &artifact, const artifact::GpuCode &code, const Gpu &gpu);

  /// By place in the code's entries.
  const LoadedEntry &operator[](size_t entry) const { return entries[entry]; }
  /// Whether the GPU has room for the blocks of every chain.
  bool canChain() const;
  /// "sm_80 from PTX", with the reason when there is code for the chip, or "sm_80 for sm_86" when it was assembled before.
  const std::string &description() const { return loaded; }

private:
  Status loadModule(const Artifact &artifact, const artifact::GpuCode &code, const Gpu &gpu);
  Status loadSection(const Artifact &artifact, uint32_t section);
  Status prepare(const gpu::Entry &entry, const Gpu &gpu);

  const Driver &driver;
  Owned<Module> module;
  std::vector<LoadedEntry> entries;
  std::string loaded;
};

/// The code assembled for a chip of this compute capability, or for an older one of the same generation; null when there is none.
const artifact::Cubin *cubinFor(const artifact::GpuCode &code, uint32_t capability);

} // namespace moec::runtime::cuda

#endif // MOEC_RUNTIME_DEVICES_CUDA_KERNELS_H
