// The devices that there are.
#include "runtime/devices/Device.h"

#include <algorithm>

using namespace moec::runtime;

namespace {
struct NamedDevice {
  const char *name;
  DeviceFactory create;
};
constexpr NamedDevice devices[] = {{"cpu", createCpuDevice}, {"cuda", createCudaDevice}, {"emulator", createEmulatorDevice}};
} // namespace

std::vector<std::string> moec::runtime::deviceNames() {
  std::vector<std::string> names;
  for (const NamedDevice &device : devices)
    names.emplace_back(device.name);
  return names;
}

Result<DeviceFactory> moec::runtime::deviceNamed(std::string_view name) {
  const auto *found = std::ranges::find(devices, name, &NamedDevice::name);
  if (found != std::end(devices))
    return found->create;
  std::string known;
  for (const NamedDevice &device : devices)
    known.append(known.empty() ? "" : ", ").append(device.name);
  return Status::invalidArgument("device '" + std::string(name) + "': expected one of " + known);
}
