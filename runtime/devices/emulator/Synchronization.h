// What orders the events of different threads: barriers, fences, and atomics that publish and learn.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H

#include "runtime/devices/emulator/Access.h"

namespace moec::runtime::emulator {

/// The warp's threads may no longer be taken as ordered among themselves by what came before: they have met.
void advance(Warp &warp);

/// The addresses of a strong operation tell what has been published there, or are told what came before the last fence.
void acquire(Warp &warp, const Access &access);
void release(Warp &warp, const Access &access);
/// What the block has written so far may be published.
void fence(Warp &warp);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H
