// Asynchronous copies from global to shared memory that have been started and have not landed.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_ASYNCCOPY_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_ASYNCCOPY_H

#include "runtime/devices/emulator/Clock.h"
#include "runtime/devices/emulator/Module.h"

#include <array>
#include <vector>

namespace moec::runtime::emulator {

class Block;

constexpr unsigned largestCopy = 16;

/// What one thread copies with one instruction. The source has been read already; until the copy lands its destination may not be
/// touched.
struct CopyInFlight {
  uint32_t thread; ///< of the block
  uint32_t group;  ///< of the thread
  uint32_t address;
  uint32_t line; ///< that started it
  uint8_t bytes;
  std::byte data[largestCopy];
};

/// Those of a warp, and how many groups each thread has committed.
struct CopiesInFlight {
  std::vector<CopyInFlight> copies;
  std::array<uint32_t, laneCount> groups{};
};

/// Writes a copy to shared memory, as an event of its thread's warp at `stamp`.
void land(Block &block, const CopyInFlight &copy, Stamp stamp);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_ASYNCCOPY_H
