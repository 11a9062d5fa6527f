// How blocks tell each other what is done.
#ifndef MOEC_LOWERING_NVPTX_LAUNCHES_SIGNAL_H
#define MOEC_LOWERING_NVPTX_LAUNCHES_SIGNAL_H

#include "lowering/nvptx/KernelBuilder.h"

namespace moec::lowering::nvptx {

/// A 32-bit count in global memory, zero between launches. Each call that does not say otherwise is for one thread of a block,
/// between barriers of the block: what the block's threads stored before the count is raised is seen by those of a block that has
/// awaited it.
class Signal {
public:
  Signal(KernelBuilder &b, Pointer count) : b(b), count(count) {}

  /// Adds one; the count before, as i64.
  Number raise();
  /// The same, with which nothing is seen but the count.
  Number add();
  /// Until the count is at least `expected`, an i64 less than 2^31.
  void await(Number expected);
  /// The first thread does so for its block, behind or before a barrier of it; for all threads of the block.
  void raiseByBlock();
  void awaitByBlock(Number expected);
  /// Back to zero, when nobody raises or awaits it any more.
  void reset();
  /// Between a count that has been read and what is to come after all that led to it.
  void fence();

private:
  KernelBuilder &b;
  Pointer count;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_LAUNCHES_SIGNAL_H
