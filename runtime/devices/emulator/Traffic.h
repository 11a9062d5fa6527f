// Counts what memory instructions move.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_TRAFFIC_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_TRAFFIC_H

#include "runtime/devices/emulator/Access.h"

namespace moec::runtime::emulator {

/// Bytes asked for and sectors moved by an access to global memory.
void countGlobal(Warp &warp, const Access &access, LaneMask lanes);

/// The wavefronts that shared memory needs for an access: its 32 banks of 4 bytes serve 128 bytes at a time, so a warp's access
/// goes in as many groups of lanes as its size demands, and each group again for every further word of a bank.
void countWavefronts(Warp &warp, const Access &access);

/// Something has happened that others may be waiting for.
void noteProgress(Warp &warp);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_TRAFFIC_H
