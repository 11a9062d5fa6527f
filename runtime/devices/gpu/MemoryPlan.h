// All memory that a GPU needs to run an artifact, known before any of it is allocated.
#ifndef MOEC_RUNTIME_DEVICES_GPU_MEMORYPLAN_H
#define MOEC_RUNTIME_DEVICES_GPU_MEMORYPLAN_H

#include "runtime/artifact/Artifact.h"
#include "runtime/devices/gpu/StepLayout.h"

#include <array>
#include <vector>

namespace moec::runtime::gpu {

/// Allocations and weights begin at multiples of this.
inline constexpr uint64_t memoryAlignment = 256;

/// What an allocation is for.
enum class Purpose : uint8_t {
  weights,   ///< every part of every weight
  tables,    ///< for each weight the addresses of its parts, u64
  constants, ///< the section of that name
  cache,     ///< one for each cache
  arena,     ///< activations, of whichever program runs
  step,      ///< a step's numbers and inputs, as the running program's StepLayout has them
  arrivals,  ///< the counter of chains, which run one after the other and leave it at zero
  workspace, ///< what kernels need for one launch; those with counters have one of their own
};
inline constexpr size_t purposes = size_t(Purpose::workspace) + 1;

/// One allocation. All but weights, tables and constants begin as zeros.
struct Region {
  Purpose purpose;
  uint64_t bytes;
  uint64_t address = 0; ///< set by the device that allocates
};

/// Where a part of a weight lies in the file and in the region of the weights.
struct PlacedPart {
  const std::byte *source;
  uint64_t bytes;
  uint64_t offset;
};

struct MemoryPlan {
  /// For a verified artifact and one of its GPU codes; `pages` of every cache. Refused when sizes leave the range of memory.
  static Result<MemoryPlan> create(const Artifact &artifact, const artifact::GpuCode &code, uint64_t pages);

  /// The bytes of all regions, each rounded up to `memoryAlignment`.
  uint64_t total() const;
  /// "weights 512 MiB, caches 128 MiB, ...", largest first.
  std::string describe() const;

  /// The region of a purpose of which there is one.
  const Region &only(Purpose purpose) const { return regions[firstOf[size_t(purpose)]]; }
  uint64_t addressOfCache(size_t cache) const { return regions[firstOf[size_t(Purpose::cache)] + cache].address; }
  /// Of a kernel, by its place in the code; 0 when it needs none.
  uint64_t addressOfWorkspace(size_t kernel) const;
  uint64_t addressOfTable(size_t weight) const { return only(Purpose::tables).address + tableOffsets[weight]; }

  /// The bytes of the region of tables, once the weights are allocated.
  std::vector<uint64_t> tables() const;

  std::vector<Region> regions;
  std::vector<StepLayout> steps;                  ///< by program
  std::vector<PlacedPart> parts;                  ///< each distinct part of a weight once, in order of their place
  std::vector<std::vector<uint32_t>> weightParts; ///< by weight: its parts, by their place in `parts`
  std::vector<uint64_t> tableOffsets;             ///< by weight
  std::vector<int64_t> workspaces;                ///< by kernel of the code: a region, or -1
  std::array<size_t, purposes> firstOf{};         ///< the first region of each purpose
};

} // namespace moec::runtime::gpu

#endif // MOEC_RUNTIME_DEVICES_GPU_MEMORYPLAN_H
