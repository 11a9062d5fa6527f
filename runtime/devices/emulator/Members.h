// The member mask of an instruction that threads of a warp execute together.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_MEMBERS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_MEMBERS_H

#include "runtime/devices/emulator/Warp.h"

namespace moec::runtime::emulator {

/// Reports it when the threads that are here are not those that their masks name. Threads that a short block lacks may be named.
void checkMembers(Warp &warp, const LaneMask *members);

/// Likewise, of what takes a whole warp.
void checkWholeWarp(Warp &warp);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_MEMBERS_H
