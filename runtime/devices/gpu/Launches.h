// The launches of a program with every argument resolved to an address of a device's memory.
#ifndef MOEC_RUNTIME_DEVICES_GPU_LAUNCHES_H
#define MOEC_RUNTIME_DEVICES_GPU_LAUNCHES_H

#include "runtime/devices/gpu/Entries.h"
#include "runtime/devices/gpu/MemoryPlan.h"

namespace moec::runtime::gpu {

struct Launch {
  size_t entry;                    ///< place in the code's entries (Entries.h)
  size_t first, count;             ///< places in the program's launches: of the first, and how many this one stands for
  std::vector<uint64_t> arguments; ///< in the order of the entry's parameters
};

/// The launches of every program of the artifact, in order, chained where the code says so and the device `isCooperative`: can have
/// blocks that wait for each other. All regions of the plan have addresses.
std::vector<std::vector<Launch>> resolveLaunches(const artifact::Manifest &manifest, const artifact::GpuCode &code,
                                                 const MemoryPlan &memory, bool isCooperative);

/// The GPU code to run on a device of that compute capability (10 x major + minor): the last that it can run, or the one named
/// `wanted`. `device` names the device in messages.
Result<const artifact::GpuCode *> chooseGpuCode(const Artifact &artifact, std::string_view wanted, uint32_t capability,
                                                std::string_view device);

} // namespace moec::runtime::gpu

#endif // MOEC_RUNTIME_DEVICES_GPU_LAUNCHES_H
