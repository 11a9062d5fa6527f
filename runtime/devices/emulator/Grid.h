// Runs the blocks of a launch.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_GRID_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_GRID_H

#include "runtime/devices/emulator/Counters.h"
#include "runtime/devices/emulator/Launch.h"

namespace moec::runtime::emulator {

/// Of a cooperative launch, whose blocks are all there at once: as many as a large device holds.
constexpr uint64_t mostResidentBlocks = 2048;

/// Runs all blocks, spread over threads of the host, each to its end or until it waits for what another does. Blocks start in the
/// order of their numbers, on each thread `blocksAtOnce` before the last of them runs first; in a launch that is not cooperative
/// none may wait for a later one, which need not have started.
Counters runGrid(const Launch &launch, int threads, uint64_t blocksAtOnce);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_GRID_H
