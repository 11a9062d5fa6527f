// The host's processor as a device: kernels from the artifact's shared object, launches split over a thread pool.
#include "runtime/ThreadPool.h"
#include "runtime/artifact/Bounds.h"
#include "runtime/devices/Device.h"
#include "runtime/devices/cpu/CodeChoice.h"
#include "runtime/devices/cpu/HostMemory.h"

#include <algorithm>
#include <chrono>
#include <vector>

using namespace moec::runtime;
using moec::artifact::Buffer;
using moec::artifact::BufferKind;
using moec::artifact::Cache;
using moec::artifact::Extent;
using moec::artifact::Kernel;
using moec::artifact::Launch;
using moec::artifact::Manifest;
using moec::artifact::Program;

namespace {
/// A launch with everything resolved but the buffers that are the step's input.
struct ResolvedLaunch {
  KernelFunction function;
  Extent extent;
  int64_t itemsPerUnit;
  std::vector<void *> buffers;
  /// Entries of `buffers` to fill from the step's input.
  std::vector<std::pair<size_t, BufferKind>> inputs;
};

class CpuDevice : public Device {
public:
  static Result<std::unique_ptr<Device>> create(const Artifact &artifact, const DeviceOptions &options);

  Status run(size_t program, const StepInput &input) override;
  std::span<const std::byte> output(size_t program, size_t output) override;
  std::string description() const override { return isa + ", " + std::to_string(pool.threads()) + " threads"; }
  std::span<const LaunchTime> launchTimes(size_t program) const override {
    return times.empty() ? std::span<const LaunchTime>() : times[program];
  }

private:
  CpuDevice(const Artifact &artifact, int threads)
      : artifact(artifact), constants(artifact.section("constants").value_or(std::span<const std::byte>())), pool(threads) {}
  Status allocate(uint64_t pages);
  Status resolve();
  void *addressOf(const Buffer &buffer) const;
  void launch(ResolvedLaunch &launch, const StepInput &input);

  const Artifact &artifact;
  const std::span<const std::byte> constants;
  ThreadPool pool;
  std::string isa;
  std::unique_ptr<CodeModule> code;
  HostMemory arena, scratch;
  uint64_t scratchPerThread = 0;
  std::vector<HostMemory> caches;
  std::vector<std::vector<ResolvedLaunch>> programs;
  std::vector<std::vector<LaunchTime>> times; ///< by program; empty when they are not taken
  StepNumbers last{};
};

Result<std::unique_ptr<Device>> CpuDevice::create(const Artifact &artifact, const DeviceOptions &options) {
  std::unique_ptr<CpuDevice> device(new CpuDevice(artifact, options.threads ? options.threads : hostThreads()));
  device->isa = options.isa;
  MOEC_RETURN_IF_ERROR(take(device->code, loadCode(artifact, device->isa)));
  MOEC_RETURN_IF_ERROR(device->allocate(options.pages));
  MOEC_RETURN_IF_ERROR(device->resolve());
  if (options.timesLaunches)
    for (const std::vector<ResolvedLaunch> &launches : device->programs) {
      std::vector<LaunchTime> &each = device->times.emplace_back();
      for (size_t i = 0; i < launches.size(); ++i)
        each.push_back({i, 1, 0});
    }
  return std::unique_ptr<Device>(std::move(device));
}

Status CpuDevice::allocate(uint64_t pages) {
  const Manifest &manifest = artifact.manifest();
  uint64_t arenaBytes = 0;
  for (const Program *program : *manifest.programs())
    arenaBytes = std::max(arenaBytes, program->arena_bytes());
  for (const Kernel *kernel : *manifest.kernels())
    scratchPerThread = std::max(scratchPerThread, kernel->scratch_bytes());
  scratchPerThread = (scratchPerThread + 4095) / 4096 * 4096 + 4096; // apart, so that threads share no cache line

  MOEC_RETURN_IF_ERROR(take(arena, HostMemory::allocate(arenaBytes, "activations")));
  MOEC_RETURN_IF_ERROR(take(scratch, HostMemory::allocate(scratchPerThread * uint64_t(pool.threads()), "scratch memory")));
  for (const Cache *cache : *manifest.caches()) {
    std::optional<uint64_t> bytes = bytesOf(*cache, *manifest.model(), pages);
    if (!bytes)
      return Status::resourceExhausted("caches of " + std::to_string(pages) + " pages are too large");
    MOEC_RETURN_IF_ERROR(take(caches.emplace_back(), HostMemory::allocate(*bytes, "the key/value cache")));
  }
  return {};
}

void *CpuDevice::addressOf(const Buffer &buffer) const {
  switch (buffer.kind()) {
  case BufferKind::arena:
    return arena.data() + buffer.offset();
  case BufferKind::weight:
    return static_cast<void *>(const_cast<const void **>(artifact.partsOf(buffer.index()).data()));
  case BufferKind::constant:
    return const_cast<std::byte *>(constants.data() + buffer.offset());
  case BufferKind::cache:
    return caches[buffer.index()].data();
  default:
    return nullptr; // an input: known when the step runs
  }
}

Status CpuDevice::resolve() {
  const Manifest &manifest = artifact.manifest();
  for (const Program *program : *manifest.programs()) {
    std::vector<ResolvedLaunch> &launches = programs.emplace_back();
    for (const Launch *launch : *program->launches()) {
      const Kernel *kernel = manifest.kernels()->Get(launch->kernel());
      ResolvedLaunch &resolved = launches.emplace_back();
      resolved.function = code->find(kernel->symbol()->c_str());
      if (!resolved.function)
        return Status::invalidData(artifact.path() + ": code '" + isa + "' has no kernel '" + kernel->symbol()->str() + "'");
      resolved.extent = launch->extent();
      resolved.itemsPerUnit = int64_t(launch->items_per_unit());
      for (uint32_t index : *launch->buffers()) {
        const Buffer *buffer = manifest.buffers()->Get(index);
        void *address = addressOf(*buffer);
        if (!address && buffer->kind() >= BufferKind::token_ids)
          resolved.inputs.emplace_back(resolved.buffers.size(), buffer->kind());
        resolved.buffers.push_back(address);
      }
    }
  }
  return {};
}

Status CpuDevice::run(size_t program, const StepInput &input) {
  last = input.numbers();
  for (size_t i = 0; i < programs[program].size(); ++i) {
    if (times.empty()) {
      launch(programs[program][i], input);
      continue;
    }
    auto start = std::chrono::steady_clock::now();
    launch(programs[program][i], input);
    times[program][i].seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return {};
}

void CpuDevice::launch(ResolvedLaunch &launch, const StepInput &input) {
  for (auto [position, kind] : launch.inputs)
    launch.buffers[position] = const_cast<int32_t *>(input.of(kind).data());
  struct Call {
    const ResolvedLaunch &launch;
    const CpuDevice &device;
  } call{launch, *this};
  pool.run(
      launch.itemsPerUnit * int64_t(unitsOf(launch.extent, last)),
      [](void *context, int thread, int64_t begin, int64_t end) {
        const Call &call = *static_cast<const Call *>(context);
        std::byte *scratch = call.device.scratch.data() + call.device.scratchPerThread * uint64_t(thread);
        call.launch.function(call.launch.buffers.data(), &call.device.last, scratch, begin, end);
      },
      &call);
}

std::span<const std::byte> CpuDevice::output(size_t program, size_t output) {
  const Buffer &buffer = outputOf(artifact.manifest(), program, output);
  return {arena.data() + buffer.offset(), *bytesOf(buffer, last)};
}
} // namespace

Result<std::unique_ptr<Device>> moec::runtime::createCpuDevice(const Artifact &artifact, const DeviceOptions &options) {
  return CpuDevice::create(artifact, options);
}
