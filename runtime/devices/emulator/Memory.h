// Memory that kernels may touch: a registry of allocations, each with a shadow of what has been written.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_MEMORY_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_MEMORY_H

#include "runtime/Status.h"
#include "runtime/devices/emulator/GlobalRaces.h"
#include "runtime/devices/emulator/Types.h"

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <vector>

namespace moec::runtime::emulator {

/// Generic addresses: global memory lies at the host's addresses, which have zeros in the upper 16 bits; the other spaces lie in
/// windows of their own, which those bits number.
constexpr unsigned windowShift = 48;
constexpr uint64_t windowOf(Space space) {
  return space == Space::shared ? 1 : space == Space::local ? 2 : space == Space::parameter ? 3 : 0;
}
constexpr Space spaceOf(uint64_t genericAddress) {
  switch (genericAddress >> windowShift) {
  case 1:
    return Space::shared;
  case 2:
    return Space::local;
  case 3:
    return Space::parameter;
  default:
    return Space::global;
  }
}

constexpr unsigned sectorBytes = 32;

/// How kernels find an allocation.
enum class Contents : uint8_t {
  readOnly, ///< weights, constants
  written,  ///< may be read at once
  fresh,    ///< must be written before it is read
};

struct Allocation {
  uint64_t begin = 0, bytes = 0;
  Contents contents = Contents::written;
  std::vector<uint8_t> written;                    ///< a byte each, 0xff when written; empty where all is
  std::unique_ptr<std::atomic<uint64_t>[]> loaded; ///< a bit for each sector loaded in this launch
  GlobalRaces races;

  uint64_t end() const { return begin + bytes; }
  uint64_t firstSector() const { return begin / sectorBytes; }
  uint64_t loadedWords() const { return (end() / sectorBytes - firstSector()) / 64 + 1; }
};

/// The allocations of a device. Not to be changed while a launch runs.
class Memory {
public:
  Status add(const void *address, uint64_t bytes, Contents contents);
  Status remove(const void *address);
  /// The host has written these bytes; nothing happens where no fresh allocation holds them.
  void markWritten(const void *address, uint64_t bytes);
  /// All of a fresh allocation must be written anew before it is read.
  void markUnwritten(const void *allocation);

  /// The allocation that holds an address, or null.
  Allocation *find(uint64_t address) const;

  /// Forgets which sectors were loaded; afterwards `uniqueSectors` counts those of one launch.
  void startLaunch();
  uint64_t uniqueSectors() const;

  const std::map<uint64_t, std::unique_ptr<Allocation>> &all() const { return allocations; }

private:
  std::map<uint64_t, std::unique_ptr<Allocation>> allocations; ///< by their first address
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_MEMORY_H
