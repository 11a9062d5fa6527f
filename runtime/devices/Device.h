// What runs the programs of an artifact: one interface, and one set of conformance tests that every device passes.
#ifndef MOEC_RUNTIME_DEVICES_DEVICE_H
#define MOEC_RUNTIME_DEVICES_DEVICE_H

#include "runtime/artifact/Artifact.h"
#include "runtime/devices/StepInput.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moec::runtime {

struct DeviceOptions {
  int threads = 0;            ///< of the host; 0 for as many as it has
  std::string isa;            ///< code variant or GPU target to run; empty for the best that the device can
  uint64_t pages = 0;         ///< of every cache
  bool timesLaunches = false; ///< whether to take the time of every launch, which lengthens steps a little

  // Of GPUs.
  int gpu = 0;                                                           ///< which of several
  std::string driver = {};                                               ///< its library; empty for the system's
  std::function<void(uint64_t done, uint64_t total)> progress = nullptr; ///< called now and then while weights are uploaded
};

/// What launches of a program took in all its runs so far.
struct LaunchTime {
  size_t first, count; ///< places in the program's launches: of the first, and how many ran as one
  double seconds;
};

class Device {
public:
  virtual ~Device() = default;

  /// Runs a program and returns when its outputs are there. Allocates nothing.
  virtual Status run(size_t program, const StepInput &input) = 0;

  /// The bytes of an output of the program that ran last, one row per token or output of that step; valid until the next run.
  virtual std::span<const std::byte> output(size_t program, size_t output) = 0;

  /// What runs: the code variant's name and the number of threads, for messages.
  virtual std::string description() const = 0;

  /// The times of a program's launches, in their order; none unless asked for, and of devices that take no time.
  virtual std::span<const LaunchTime> launchTimes(size_t program) const { return {}; }

  /// What a device that counts has counted so far, kernel by kernel, as a table in Markdown.
  virtual std::string counted() const { return {}; }
};

/// A device on the host's processor for `artifact`, which must outlive it. All memory is planned and code loaded here.
Result<std::unique_ptr<Device>> createCpuDevice(const Artifact &artifact, const DeviceOptions &options);

/// A device on an NVIDIA GPU, through its driver; likewise.
Result<std::unique_ptr<Device>> createCudaDevice(const Artifact &artifact, const DeviceOptions &options);

/// The artifact's GPU code on the host's processor, watched for mistakes; likewise. A step fails when a kernel does something
/// wrong.
Result<std::unique_ptr<Device>> createEmulatorDevice(const Artifact &artifact, const DeviceOptions &options);

/// Makes the device that a session runs on.
using DeviceFactory = Result<std::unique_ptr<Device>> (*)(const Artifact &artifact, const DeviceOptions &options);

/// The names of the devices above, as programs and the C interface take them, and what makes the one of a name.
std::vector<std::string> deviceNames();
Result<DeviceFactory> deviceNamed(std::string_view name);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_DEVICES_DEVICE_H
