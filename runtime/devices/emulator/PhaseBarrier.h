// mbarrier objects: barriers in shared memory whose phases complete when all expected arrivals and bytes have come.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_PHASEBARRIER_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_PHASEBARRIER_H

#include "runtime/devices/emulator/AsyncCopy.h"
#include "runtime/devices/emulator/Clock.h"

#include <functional>

namespace moec::runtime::emulator {

class Decoder;
class Warp;

struct PhaseBarrier {
  uint32_t phase = 0;    ///< the number of those completed
  uint32_t expected = 0; ///< arrivals of every phase
  uint32_t pending = 0;  ///< arrivals that this phase still needs
  int64_t bytes = 0;     ///< of transactions that this phase still needs
  Clock arriving;        ///< what those know who have arrived in this phase
  Clock completed;       ///< what was known when a phase completed last
  struct Copy {
    CopyInFlight copy;
    Stamp stamp;
  };
  std::vector<Copy> copies; ///< that land before this phase completes
};

/// Counts arrivals of one thread, and completes the phase when none are missing.
void arrive(Warp &warp, unsigned lane, PhaseBarrier &barrier, uint32_t count);

/// Calls `body` for the barrier at the address of each active lane, its source `k`; what is no barrier is reported.
void forEachPhaseBarrier(Warp &warp, const Instruction &i, unsigned k,
                         const std::function<void(unsigned lane, PhaseBarrier &)> &body);

/// The rest of an instruction whose operand `k` is the address of a barrier: `.shared.b64`, [address].
void decodePhaseBarrierAddress(Decoder &decoder, size_t k, Execute execute);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_PHASEBARRIER_H
