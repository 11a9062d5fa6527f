// The emulator as a device: the PTX of an artifact runs on the host, and is watched while it does.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_EMULATORDEVICE_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_EMULATORDEVICE_H

#include "runtime/devices/Device.h"
#include "runtime/devices/cpu/HostMemory.h"
#include "runtime/devices/emulator/Emulator.h"
#include "runtime/devices/gpu/Launches.h"

namespace moec::runtime::emulator {

/// What the launches of one kernel did, all together.
struct KernelCounters {
  std::string kernel;
  uint64_t launches = 0;
  Counters counters;
};

/// A kernel that does something wrong makes its step fail, with what was found. Unlike other devices this one allocates in steps.
class EmulatorDevice : public Device {
public:
  static Result<std::unique_ptr<EmulatorDevice>> create(const Artifact &artifact, const DeviceOptions &options);

  Status run(size_t program, const StepInput &input) override;
  std::span<const std::byte> output(size_t program, size_t output) override;
  std::string description() const override;
  std::string counted() const override;

  /// By entry of the code, since the device was made or `resetCounters` was called.
  const std::vector<KernelCounters> &counters() const { return kernels; }
  void resetCounters();
  const std::vector<Report> &reports() const { return emulator.reports(); }

private:
  EmulatorDevice(const Artifact &artifact, int threads) : artifact(artifact), threads(threads), emulator({.threads = threads}) {}
  Status load(const artifact::GpuCode &chosen);
  Status allocate(uint64_t pages);
  Status launch(const gpu::Launch &launch, const StepNumbers &numbers);
  void clearCounters();

  const Artifact &artifact;
  const int threads;
  const artifact::GpuCode *code = nullptr;
  Emulator emulator;
  const Module *module = nullptr;
  gpu::MemoryPlan plan;
  std::vector<HostMemory> regions; ///< as in the plan
  std::vector<gpu::Entry> entries;
  std::vector<std::vector<gpu::Launch>> programs;
  std::vector<KernelCounters> kernels;
  StepNumbers last{};
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_EMULATORDEVICE_H
