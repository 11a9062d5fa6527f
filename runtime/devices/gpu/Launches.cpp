// The launches of a program with every argument resolved to an address of a device's memory.
#include "runtime/devices/gpu/Launches.h"

#include "runtime/artifact/Bounds.h"

using namespace moec::runtime;
using namespace moec::runtime::gpu;
using namespace moec::artifact;

namespace {
uint64_t addressOf(const Buffer &buffer, const MemoryPlan &memory, const StepLayout &step) {
  switch (buffer.kind()) {
  case BufferKind::arena:
    return memory.only(Purpose::arena).address + buffer.offset();
  case BufferKind::weight:
    return memory.addressOfTable(buffer.index());
  case BufferKind::constant:
    return memory.only(Purpose::constants).address + buffer.offset();
  case BufferKind::cache:
    return memory.addressOfCache(buffer.index());
  default:
    return memory.only(Purpose::step).address + step.offsetOf(buffer.kind());
  }
}

std::string capabilityInWords(uint32_t capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}
} // namespace

std::vector<std::vector<gpu::Launch>> moec::runtime::gpu::resolveLaunches(const Manifest &manifest, const GpuCode &code,
                                                                          const MemoryPlan &memory) {
  std::map<uint32_t, uint32_t> places; // of kernels in the code
  for (uint32_t i = 0; i < code.kernels()->size(); ++i)
    places[code.kernels()->Get(i)->kernel()] = i;
  std::vector<std::vector<gpu::Launch>> programs;
  for (uint32_t i = 0; i < manifest.programs()->size(); ++i) {
    const StepLayout &step = memory.steps[i];
    std::vector<gpu::Launch> &launches = programs.emplace_back();
    for (const artifact::Launch *launch : *manifest.programs()->Get(i)->launches()) {
      gpu::Launch &resolved = launches.emplace_back();
      resolved.kernel = places.at(launch->kernel());
      for (uint32_t buffer : *launch->buffers())
        resolved.arguments.push_back(addressOf(*manifest.buffers()->Get(buffer), memory, step));
      resolved.arguments.push_back(memory.addressOfWorkspace(resolved.kernel));
      resolved.arguments.push_back(memory.only(Purpose::step).address + step.offsetOfNumbers());
    }
  }
  return programs;
}

std::optional<Grid> moec::runtime::gpu::gridOf(const GpuKernel &kernel, const StepNumbers &numbers) {
  Grid grid{1, 1, 1};
  for (uint32_t i = 0; i < kernel.grid()->size(); ++i) {
    grid[i] = uint32_t(*valueOf(*kernel.grid()->Get(i), numbers));
    if (grid[i] == 0)
      return std::nullopt;
  }
  return grid;
}

Result<const GpuCode *> moec::runtime::gpu::chooseGpuCode(const Artifact &artifact, std::string_view wanted, uint32_t capability,
                                                          std::string_view device) {
  const GpuCode *chosen = nullptr;
  std::string names;
  if (artifact.manifest().gpu_code())
    for (const GpuCode *code : *artifact.manifest().gpu_code()) {
      names += (names.empty() ? "" : ", ") + code->target()->str();
      if (wanted.empty() ? code->min_compute_capability() <= capability : code->target()->string_view() == wanted)
        chosen = code;
    }
  std::string has = " (the artifact has: " + (names.empty() ? "none; compile with --target sm_80" : names) + ")";
  if (!chosen)
    return Status::unavailable(artifact.path() + ": no GPU code for " +
                               (wanted.empty() ? std::string(device) : "--isa '" + std::string(wanted) + "'") + has);
  if (chosen->min_compute_capability() > capability)
    return Status::unavailable(artifact.path() + ": code for '" + std::string(wanted) + "' needs compute capability " +
                               capabilityInWords(chosen->min_compute_capability()) + ", " + std::string(device) + " has " +
                               capabilityInWords(capability));
  return chosen;
}
