// One of the sixteen barriers of a block.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_NAMEDBARRIER_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_NAMEDBARRIER_H

#include "runtime/devices/emulator/Clock.h"
#include "runtime/devices/emulator/Module.h"

#include <cstdint>
#include <vector>

namespace moec::runtime::emulator {

struct NamedBarrier {
  uint32_t expected = 0;         ///< threads of the phase in progress
  uint32_t arrived = 0;          ///< threads, whole warps
  uint32_t holding = 0;          ///< threads for which the reduced predicate holds
  uint32_t counted = 0;          ///< threads that reduce
  std::vector<unsigned> waiting; ///< warps to release
  struct Reduction {
    unsigned warp;
    const Instruction *instruction;
    LaneMask lanes;
  };
  std::vector<Reduction> reductions; ///< whose results are due when the phase completes
  Clock clock;                       ///< what those know who have arrived

  void startPhase() {
    expected = arrived = holding = counted = 0;
    waiting.clear();
    reductions.clear();
    clock.clear();
  }
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_NAMEDBARRIER_H
