// The launches of a program with every argument resolved to an address of a device's memory.
#ifndef MOEC_RUNTIME_DEVICES_GPU_LAUNCHES_H
#define MOEC_RUNTIME_DEVICES_GPU_LAUNCHES_H

#include "runtime/devices/gpu/MemoryPlan.h"

#include <array>

namespace moec::runtime::gpu {

/// Blocks in each direction, x first.
using Grid = std::array<uint32_t, 3>;

struct Launch {
  uint32_t kernel;                 ///< place in the code's kernels
  std::vector<uint64_t> arguments; ///< buffers, workspace, numbers
};

/// The launches of every program of the artifact, in order; all regions of the plan have addresses.
std::vector<std::vector<Launch>> resolveLaunches(const artifact::Manifest &manifest, const artifact::GpuCode &code,
                                                 const MemoryPlan &memory);

/// The grid of a launch in a step, or nothing when there is nothing to do. Within bounds, as the manifest was verified.
std::optional<Grid> gridOf(const artifact::GpuKernel &kernel, const StepNumbers &numbers);

/// The GPU code to run on a device of that compute capability (10 x major + minor): the last that it can run, or the one named
/// `wanted`. `device` names the device in messages.
Result<const artifact::GpuCode *> chooseGpuCode(const Artifact &artifact, std::string_view wanted, uint32_t capability,
                                                std::string_view device);

} // namespace moec::runtime::gpu

#endif // MOEC_RUNTIME_DEVICES_GPU_LAUNCHES_H
