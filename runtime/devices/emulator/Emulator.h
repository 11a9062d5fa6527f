// Executes PTX on the host's processor, and tells what a kernel does wrong and how much it does.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_EMULATOR_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_EMULATOR_H

#include "runtime/Status.h"
#include "runtime/devices/emulator/Counters.h"
#include "runtime/devices/emulator/Memory.h"
#include "runtime/devices/emulator/Module.h"
#include "runtime/devices/emulator/Report.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace moec::runtime::emulator {

struct EmulatorOptions {
  int threads = 1;                          ///< of the host, over which blocks are spread
  uint64_t blocksAtOnce = 1;                ///< that a thread of the host starts before it runs the last of them, then those before
  uint64_t mostInstructions = ~uint64_t(0); ///< of a warp in one launch; one that goes on longer is reported
  uint64_t mostReports = 10000;             ///< after which a launch ends, as going on would tell nothing new
};

/// What a kernel is given.
struct LaunchArguments {
  Dimensions grid, block;
  uint32_t dynamicSharedBytes = 0;
  std::span<const std::byte> parameters; ///< laid out as the entry declares them
  bool cooperative = false;              ///< all blocks are there at once, so that they may wait for each other
};

/// A device: memory, modules, launches. Not to be used by several threads at once.
///
///     Emulator emulator;
///     Result<const Module *> module = emulator.load(text, "kernels.ptx");
///     emulator.memory().add(x.data(), bytes, Contents::written);
///     Status status = emulator.launch(**module, "scale", {.grid = {4}, .block = {128}, .parameters = ...}, &counters);
class Emulator {
public:
  explicit Emulator(EmulatorOptions options = {});
  ~Emulator();

  /// Decodes a module and allocates its variables; it lives as long as the emulator. `name` stands for the file in messages.
  Result<const Module *> load(std::string_view text, std::string_view name);

  /// Addresses of the host that lie in a registered allocation are addresses of the device's global memory.
  Memory &memory() { return allocations; }

  /// Runs a kernel to its end. The status is an error when there are reports, and its message has the first of them.
  Status launch(const Module &module, std::string_view entry, const LaunchArguments &arguments, Counters *counters = nullptr);

  /// Those of the last launch, in the order of the PTX.
  const std::vector<Report> &reports() const { return found; }

private:
  EmulatorOptions options;
  Memory allocations;
  std::vector<std::unique_ptr<Module>> modules;
  std::vector<Report> found;
  uint32_t launches = 0;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_EMULATOR_H
