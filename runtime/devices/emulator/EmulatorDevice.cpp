// Runs the programs of an artifact on the emulator.
#include "runtime/devices/emulator/EmulatorDevice.h"

#include "runtime/ThreadPool.h"
#include "runtime/artifact/Bounds.h"
#include "runtime/devices/cpu/Processor.h"
#include "runtime/devices/emulator/CounterTable.h"

#include <algorithm>
#include <cstring>

using namespace moec::runtime;
using namespace moec::runtime::emulator;
using moec::runtime::gpu::Purpose;

namespace {
/// What the emulator understands is what chips of that capability do, tensor maps and clusters of later ones apart.
constexpr uint32_t capability = 89;

/// Of chains: those of a small GPU, so that there are fewer than a kernel's grid has.
constexpr uint64_t residentBlocks = 16;

std::byte *at(uint64_t address) { return reinterpret_cast<std::byte *>(address); }
} // namespace

Result<std::unique_ptr<EmulatorDevice>> EmulatorDevice::create(const Artifact &artifact, const DeviceOptions &options) {
  for (const char *feature : {"avx2", "fma", "f16c", "bmi2"})
    if (!processorHas(feature))
      return Status::unavailable("the emulator needs a processor with " + std::string(feature));
  std::unique_ptr<EmulatorDevice> device(new EmulatorDevice(artifact, options.threads ? options.threads : hostThreads()));
  Result<const artifact::GpuCode *> chosen = gpu::chooseGpuCode(artifact, options.isa, capability, "the emulator");
  if (!chosen.ok())
    return chosen.status();
  MOEC_RETURN_IF_ERROR(device->load(**chosen));
  MOEC_RETURN_IF_ERROR(device->allocate(options.pages));
  device->programs = gpu::resolveLaunches(artifact.manifest(), *device->code, device->plan, true);
  device->resetCounters();
  return device;
}

Status EmulatorDevice::load(const artifact::GpuCode &chosen) {
  code = &chosen;
  std::span<const std::byte> text = artifact.section(*artifact.manifest().sections()->Get(code->section()));
  Result<const Module *> loaded =
      emulator.load({reinterpret_cast<const char *>(text.data()), text.size()}, artifact.path() + ": ptx/" + code->target()->str());
  if (!loaded.ok())
    return loaded.status();
  module = *loaded;
  entries = gpu::entriesOf(artifact.manifest(), *code);
  for (const gpu::Entry &entry : entries)
    if (!module->entry(entry.symbol))
      return Status::invalidData(module->name + " has no entry '" + entry.symbol + "'");
  return {};
}

/// Each part of a weight is an allocation of its own, so that reading beyond one is found.
Status EmulatorDevice::allocate(uint64_t pages) {
  Result<gpu::MemoryPlan> planned = gpu::MemoryPlan::create(artifact, *code, pages);
  if (!planned.ok())
    return planned.status();
  plan = std::move(*planned);
  for (gpu::Region &region : plan.regions) {
    Result<HostMemory> memory = HostMemory::allocate(std::max<uint64_t>(region.bytes, 1), "the emulated device");
    if (!memory.ok())
      return memory.status();
    region.address = reinterpret_cast<uintptr_t>(memory->data());
    regions.push_back(std::move(*memory));
  }
  uint64_t weights = plan.only(Purpose::weights).address;
  for (const gpu::PlacedPart &part : plan.parts) {
    std::memcpy(at(weights + part.offset), part.source, part.bytes);
    if (part.bytes)
      MOEC_RETURN_IF_ERROR(emulator.memory().add(at(weights + part.offset), part.bytes, Contents::readOnly));
  }
  std::vector<uint64_t> tables = plan.tables();
  std::memcpy(at(plan.only(Purpose::tables).address), tables.data(), tables.size() * sizeof(uint64_t));
  for (const gpu::Region &region : plan.regions) {
    if (!region.bytes || region.purpose == Purpose::weights || region.purpose == Purpose::step)
      continue;
    bool isConstant = region.purpose == Purpose::tables || region.purpose == Purpose::constants;
    if (region.purpose == Purpose::constants)
      std::memcpy(at(region.address), artifact.section("constants")->data(), region.bytes);
    MOEC_RETURN_IF_ERROR(
        emulator.memory().add(at(region.address), region.bytes, isConstant ? Contents::readOnly : Contents::fresh));
    if (region.purpose == Purpose::arrivals)
      emulator.memory().markWritten(at(region.address), region.bytes);
  }
  return {};
}

/// Whether the counters at `memory` are zero, as every launch leaves them.
static Status checkCounters(const std::byte *memory, uint64_t bytes, const char *symbol) {
  const std::byte *wrong = std::find_if(memory, memory + bytes, [](std::byte byte) { return byte != std::byte(0); });
  if (wrong == memory + bytes)
    return {};
  return Status::invalidData(std::string(symbol) + ": expected its counters to be zero when it ends, byte " +
                             std::to_string(wrong - memory) + " is not");
}

/// What a kernel finds in its workspace are the counters, and nothing else.
Status EmulatorDevice::launch(const gpu::Launch &launch, const StepNumbers &numbers) {
  const gpu::Entry &entry = entries[launch.entry];
  std::optional<gpu::Grid> grid = entry.gridOf(*code, numbers, residentBlocks);
  if (!grid)
    return {};
  for (uint32_t kernel : entry.kernels)
    if (uint64_t workspace = plan.addressOfWorkspace(kernel)) {
      emulator.memory().markUnwritten(at(workspace));
      emulator.memory().markWritten(at(workspace), code->kernels()->Get(kernel)->counter_bytes());
    }
  LaunchArguments arguments;
  arguments.grid = {(*grid)[0], (*grid)[1], (*grid)[2]};
  arguments.block = {entry.threads, 1, 1};
  arguments.dynamicSharedBytes = entry.sharedBytes;
  arguments.cooperative = entry.isChain;
  arguments.parameters = std::as_bytes(std::span(launch.arguments));
  KernelCounters &counted = kernels[launch.entry];
  Counters counters;
  MOEC_RETURN_IF_ERROR(emulator.launch(*module, counted.kernel, arguments, &counters));
  ++counted.launches;
  counted.counters.add(counters);
  for (uint32_t kernel : entry.kernels)
    if (uint64_t workspace = plan.addressOfWorkspace(kernel))
      MOEC_RETURN_IF_ERROR(checkCounters(at(workspace), code->kernels()->Get(kernel)->counter_bytes(), entry.symbol));
  if (!entry.isChain)
    return {};
  const gpu::Region &arrivals = plan.only(Purpose::arrivals);
  return checkCounters(at(arrivals.address), arrivals.bytes, entry.symbol);
}

/// After a launch that failed half-way, as every launch is to find them.
void EmulatorDevice::clearCounters() {
  for (uint32_t kernel = 0; kernel < code->kernels()->size(); ++kernel)
    if (uint64_t workspace = plan.addressOfWorkspace(kernel))
      std::memset(at(workspace), 0, code->kernels()->Get(kernel)->counter_bytes());
  const gpu::Region &arrivals = plan.only(Purpose::arrivals);
  std::memset(at(arrivals.address), 0, arrivals.bytes);
}

Status EmulatorDevice::run(size_t program, const StepInput &input) {
  last = input.numbers();
  std::byte *step = at(plan.only(Purpose::step).address);
  const gpu::StepLayout &layout = plan.steps[program];
  MOEC_RETURN_IF_ERROR(layout.write(input, step));
  // What earlier steps left in the arena is not this step's to read.
  if (plan.only(Purpose::arena).bytes)
    emulator.memory().markUnwritten(at(plan.only(Purpose::arena).address));
  MOEC_RETURN_IF_ERROR(emulator.memory().add(step, layout.bytesOf(last), Contents::readOnly));
  Status status;
  for (const gpu::Launch &one : programs[program])
    if (status = launch(one, last); !status.ok()) {
      clearCounters();
      break;
    }
  MOEC_RETURN_IF_ERROR(emulator.memory().remove(step));
  return status;
}

std::span<const std::byte> EmulatorDevice::output(size_t program, size_t output) {
  const artifact::Buffer &buffer = outputOf(artifact.manifest(), program, output);
  return {at(plan.only(Purpose::arena).address + buffer.offset()), *moec::runtime::bytesOf(buffer, last)};
}

std::string EmulatorDevice::description() const {
  return "emulator, " + code->target()->str() + ", " + std::to_string(threads) + " threads";
}

void EmulatorDevice::resetCounters() {
  kernels.clear();
  for (const gpu::Entry &entry : entries)
    kernels.push_back({entry.symbol, 0, {}});
}

std::string EmulatorDevice::counted() const { return counterTable(kernels); }

Result<std::unique_ptr<Device>> moec::runtime::createEmulatorDevice(const Artifact &artifact, const DeviceOptions &options) {
  Result<std::unique_ptr<EmulatorDevice>> made = EmulatorDevice::create(artifact, options);
  if (!made.ok())
    return made.status();
  return std::unique_ptr<Device>(std::move(*made));
}
