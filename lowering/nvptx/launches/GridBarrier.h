// Where the blocks of a cooperative launch meet.
#ifndef MOEC_LOWERING_NVPTX_LAUNCHES_GRIDBARRIER_H
#define MOEC_LOWERING_NVPTX_LAUNCHES_GRIDBARRIER_H

#include "lowering/nvptx/launches/Signal.h"

namespace moec::lowering::nvptx {

/// A counter of arrivals in global memory that only grows until the last block leaves. All blocks go through the same calls.
class GridBarrier {
public:
  /// `arrivals` is a 32-bit number that is zero when the launch begins.
  GridBarrier(KernelBuilder &b, Pointer arrivals) : b(b), arrivals(b, arrivals), meetings(b.integer(0)) {}

  /// All blocks meet; what they have stored before is seen after. Where it is not needed, which all blocks must agree on, only the
  /// threads of each block meet.
  void meet(Number isNeeded);
  /// The end of a block's work, which leaves the counter at zero.
  void leave();

private:
  KernelBuilder &b;
  Signal arrivals;
  Number meetings;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_LAUNCHES_GRIDBARRIER_H
