// Modules and launches of an emulated device.
#include "runtime/devices/emulator/Emulator.h"

#include "runtime/devices/emulator/Grid.h"
#include "runtime/devices/emulator/Symbols.h"

using namespace moec::runtime;
using namespace moec::runtime::emulator;

Emulator::Emulator(EmulatorOptions options) : options(options) {}
Emulator::~Emulator() = default;

Result<const Module *> Emulator::load(std::string_view text, std::string_view name) {
  Result<std::unique_ptr<Module>> parsed = parseModule(text, name);
  if (!parsed.ok())
    return parsed.status();
  for (const auto &variable : (*parsed)->variables)
    if (variable->bytes)
      MOEC_RETURN_IF_ERROR(
          allocations.add(variable->data, variable->bytes, variable->readOnly ? Contents::readOnly : Contents::written));
  modules.push_back(std::move(*parsed));
  return modules.back().get();
}

static Status check(const Function &entry, const LaunchArguments &arguments) {
  auto refuse = [&](const std::string &message) { return Status::invalidArgument(entry.name + ": " + message); };
  const Dimensions &block = arguments.block, &grid = arguments.grid;
  auto words = [](const Dimensions &size) {
    return std::to_string(size.x) + "x" + std::to_string(size.y) + "x" + std::to_string(size.z);
  };
  if (!block.count() || block.x > 1024 || block.y > 1024 || block.z > 64 || block.count() > 1024)
    return refuse("expected 1 to 1024 threads in a block, got " + words(block));
  if (!grid.count() || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535)
    return refuse("expected a grid of at least one block and at most 2147483647x65535x65535, got " + words(grid));
  if (arguments.cooperative && grid.count() > mostResidentBlocks)
    return refuse("expected at most " + std::to_string(mostResidentBlocks) + " blocks in a cooperative launch, got " +
                  std::to_string(grid.count()));
  if (arguments.parameters.size() != entry.parameterBytes)
    return refuse("expected " + std::to_string(entry.parameterBytes) + " bytes of parameters, got " +
                  std::to_string(arguments.parameters.size()));
  const auto &required = entry.requiredThreads, &most = entry.maximumThreads;
  if (required[0] && Dimensions{required[0], required[1], required[2]}.count() != block.count())
    return refuse("expected blocks of " + words({required[0], required[1], required[2]}) + " threads, got " + words(block));
  if (most[0] && Dimensions{most[0], most[1], most[2]}.count() < block.count())
    return refuse("expected blocks of at most " + words({most[0], most[1], most[2]}) + " threads, got " + words(block));
  if (arguments.dynamicSharedBytes > maximumSharedBytes || entry.sharedBytes + arguments.dynamicSharedBytes > maximumSharedBytes)
    return refuse("expected at most " + std::to_string(maximumSharedBytes) + " bytes of shared memory, got " +
                  std::to_string(uint64_t(entry.sharedBytes) + arguments.dynamicSharedBytes));
  return {};
}

Status Emulator::launch(const Module &module, std::string_view name, const LaunchArguments &arguments, Counters *counters) {
  found.clear();
  const Function *entry = module.entry(name);
  if (!entry)
    return Status::invalidArgument(module.name + ": no entry '" + std::string(name) + "'");
  MOEC_RETURN_IF_ERROR(check(*entry, arguments));
  Reports reports(options.mostReports);
  Launch launch(module, *entry, arguments.grid, arguments.block, arguments.dynamicSharedBytes, arguments.parameters, allocations,
                reports, arguments.cooperative, options.mostInstructions, ++launches);
  allocations.startLaunch();
  Counters counted = runGrid(launch, options.threads, options.blocksAtOnce);
  counted.uniqueSectorsLoaded = allocations.uniqueSectors();
  if (counters)
    *counters = counted;
  found = reports.take();
  if (found.empty())
    return {};
  std::string message;
  constexpr size_t shown = 5;
  for (size_t k = 0; k < std::min(shown, found.size()); ++k)
    message += (k ? "\n" : "") + describe(found[k]);
  if (found.size() > shown)
    message += "\nand " + std::to_string(found.size() - shown) + " more";
  return Status(StatusCode::invalidData, message);
}
