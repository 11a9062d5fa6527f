// Fuzzes PTX: what the emulator parses, it can also execute without touching memory that is not the kernel's.
#include "runtime/devices/emulator/Emulator.h"

#include <vector>

using namespace moec::runtime;
using namespace moec::runtime::emulator;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Emulator emulator;
  Result<const Module *> module = emulator.load({reinterpret_cast<const char *>(data), size}, "fuzz.ptx");
  if (!module.ok())
    return 0;
  for (const Function &function : (*module)->functions) {
    // Loops without end take long to be found out, so only what goes forward is executed.
    bool goesForward = function.callees.empty();
    for (uint32_t k = function.begin; k < function.end; ++k)
      goesForward &= (*module)->instructions[k].target == noTarget || (*module)->instructions[k].target > k;
    if (!function.isEntry || !function.isDefined || !goesForward)
      continue;
    std::vector<std::byte> parameters(function.parameterBytes);
    LaunchArguments arguments;
    arguments.block = {40, 1, 1};
    arguments.parameters = parameters;
    (void)emulator.launch(**module, function.name, arguments);
  }
  return 0;
}
