// Runs the blocks of a launch.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_GRID_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_GRID_H

#include "runtime/devices/emulator/Counters.h"
#include "runtime/devices/emulator/Launch.h"

namespace moec::runtime::emulator {

/// Runs all blocks, spread over threads of the host; blocks that wait for others are set aside and resumed.
Counters runGrid(const Launch &launch, int threads);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_GRID_H
