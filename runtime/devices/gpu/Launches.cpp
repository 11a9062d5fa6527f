// The launches of a program with every argument resolved to an address of a device's memory.
#include "runtime/devices/gpu/Launches.h"

#include "runtime/artifact/Bounds.h"

using namespace moec::runtime;
using namespace moec::runtime::gpu;
using moec::artifact::Buffer;
using moec::artifact::BufferKind;
using moec::artifact::ChainedLaunches;
using moec::artifact::GpuCode;
using moec::artifact::Manifest;

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

namespace {
class Resolver {
public:
  Resolver(const Manifest &manifest, const GpuCode &code, const MemoryPlan &memory)
      : manifest(manifest), code(code), memory(memory) {
    for (uint32_t i = 0; i < code.kernels()->size(); ++i)
      places[code.kernels()->Get(i)->kernel()] = i;
  }

  std::vector<gpu::Launch> resolve(uint32_t program, bool isCooperative) const {
    std::vector<gpu::Launch> resolved;
    const auto &launches = *manifest.programs()->Get(program)->launches();
    uint32_t next = 0;
    auto alone = [&](uint32_t end) {
      for (; next < end; ++next) {
        gpu::Launch &launch = resolved.emplace_back(gpu::Launch{places.at(launches.Get(next)->kernel()), next, 1, {}});
        append(launch, *launches.Get(next), program);
        launch.arguments.push_back(numbersOf(program));
      }
    };
    if (isCooperative && code.programs())
      for (const ChainedLaunches *chained : *code.programs()->Get(program)->chained()) {
        alone(chained->first());
        uint32_t end = next + code.chains()->Get(chained->chain())->kernels()->size();
        gpu::Launch &launch = resolved.emplace_back(gpu::Launch{code.kernels()->size() + chained->chain(), next, end - next, {}});
        for (; next < end; ++next)
          append(launch, *launches.Get(next), program);
        launch.arguments.push_back(memory.only(Purpose::arrivals).address);
        launch.arguments.push_back(numbersOf(program));
      }
    alone(launches.size());
    return resolved;
  }

private:
  uint64_t numbersOf(uint32_t program) const {
    return memory.only(Purpose::step).address + memory.steps[program].offsetOfNumbers();
  }
  /// Buffers and workspace of one launch.
  void append(gpu::Launch &resolved, const moec::artifact::Launch &launch, uint32_t program) const {
    for (uint32_t buffer : *launch.buffers())
      resolved.arguments.push_back(addressOf(*manifest.buffers()->Get(buffer), memory, memory.steps[program]));
    resolved.arguments.push_back(memory.addressOfWorkspace(places.at(launch.kernel())));
  }

  const Manifest &manifest;
  const GpuCode &code;
  const MemoryPlan &memory;
  std::map<uint32_t, uint32_t> places; ///< of kernels in the code
};
} // namespace

std::vector<std::vector<gpu::Launch>> moec::runtime::gpu::resolveLaunches(const Manifest &manifest, const GpuCode &code,
                                                                          const MemoryPlan &memory, bool isCooperative) {
  Resolver resolver(manifest, code, memory);
  std::vector<std::vector<gpu::Launch>> programs;
  for (uint32_t i = 0; i < manifest.programs()->size(); ++i)
    programs.push_back(resolver.resolve(i, isCooperative));
  return programs;
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
