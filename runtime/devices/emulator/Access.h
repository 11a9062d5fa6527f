// What one memory instruction of a warp touches, checked: bounds, alignment, what has been written, who else was there.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_ACCESS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_ACCESS_H

#include "runtime/devices/emulator/Memory.h"
#include "runtime/devices/emulator/Warp.h"

#include <bit>

namespace moec::runtime::emulator {

enum class AccessKind : uint8_t { load, store, atomic };

/// Bytes of one lane, side by side; as many as the largest vector has.
constexpr unsigned stagingBytes = 32;
using Staging = std::byte[laneCount][stagingBytes];

struct Access {
  AccessKind kind = AccessKind::load;
  Space space = Space::generic;
  bool strong = false; ///< atomic, volatile, or ordered: does not race with its like
  Scope scope = Scope::device;
  LaneMask lanes = 0;
  unsigned bytes = 0;     ///< of a lane
  unsigned alignment = 0; ///< of the addresses
  uint64_t address[laneCount];
  const Staging *stored = nullptr; ///< of a store: threads that write the same are no race
};

/// Where the lanes' bytes are, for those that may touch them.
struct Resolved {
  LaneMask lanes = 0;
  std::byte *data[laneCount];
  uint8_t *written[laneCount]; ///< their shadow: 0xff a byte; null where everything has been written
};

/// Calls `body` with each lane of a mask.
template <class Body> void forEachLane(LaneMask lanes, Body body) {
  for (; lanes; lanes &= lanes - 1)
    body(unsigned(std::countr_zero(lanes)));
}

/// What the shadow of shared memory says of a byte.
constexpr uint8_t unwritten = 0, inFlight = 1, isWritten = 0xff;

/// The access that an instruction makes of the address in its source `k`.
Access accessOf(const Warp &warp, const Instruction &i, unsigned k, AccessKind kind);
/// The addresses in source `k`, a register of so many bytes, plus an offset.
void computeAddresses(const Warp &warp, const Instruction &i, unsigned k, unsigned registerBytes, int64_t offset, Access &access);

/// Checks every lane; what is wrong is reported, and the lane left out.
void resolve(Warp &warp, const Access &access, Resolved &resolved);

/// What the lanes of an access have read, and where, in one number.
uint64_t digestOf(const Access &access, const Staging &values);

/// The bytes of the lanes' addresses; zeros where they cannot be read.
void load(Warp &warp, const Access &access, Staging &values);
/// Writes them; lanes missing in `known` store what has never been written.
void store(Warp &warp, Access &access, const Staging &values, LaneMask known);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_ACCESS_H
