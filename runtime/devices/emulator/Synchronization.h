// What orders the events of different threads beside barriers: release and acquire, by operations or by fences.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H

#include "runtime/devices/emulator/Clock.h"
#include "runtime/devices/emulator/Types.h"

#include <array>
#include <map>

namespace moec::runtime::emulator {

class Warp;
struct Access;

/// What fences have let a warp tell and learn, for each scope.
struct Fences {
  std::array<Clock, scopeCount> released; ///< what was known at the last fence, so that strong writes after it tell of it
  std::array<Clock, scopeCount> observed; ///< what strong reads have been told, so that a fence after them makes it known
};

/// What is known to those who read a value that is at an address of global memory. Guarded by the launch's `strongOperations`.
using Publications = std::map<uint64_t, GridStamps>;

/// The warp's threads have met: what they did before is ordered before what they do next.
void advance(Warp &warp);

/// A strong operation has written: its values tell what came before the last fence, or when it releases what came before it.
/// Those of an atomic operation also go on telling what the values told that it replaces.
void publish(Warp &warp, const Access &access, bool releases);
/// A strong operation has read: what the values tell becomes known at the next fence, or when it acquires at once.
void observe(Warp &warp, const Access &access, bool acquires);
/// Releases and acquires.
void fence(Warp &warp, Scope scope);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H
