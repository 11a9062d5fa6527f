// Vector clocks of warps.
#include "runtime/devices/emulator/Synchronization.h"

#include "runtime/devices/emulator/Block.h"

using namespace moec::runtime::emulator;

void moec::runtime::emulator::advance(Warp &warp) { warp.clock.set(warp.number, warp.clock[warp.number] + 1); }
void moec::runtime::emulator::acquire(Warp &, const Access &) {}
void moec::runtime::emulator::release(Warp &, const Access &) {}
void moec::runtime::emulator::fence(Warp &) {}
