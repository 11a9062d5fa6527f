// The order of work within one launch: each block does a piece, and a piece may wait for all pieces of an earlier stage.
//
// Blocks start in the order of their numbers, so whatever a block waits for is done by blocks that have started before it: there is
// no deadlock, however few blocks a GPU holds at once.
#ifndef MOEC_LOWERING_NVPTX_LAUNCHES_LAUNCHORDER_H
#define MOEC_LOWERING_NVPTX_LAUNCHES_LAUNCHORDER_H

#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/launches/Signal.h"

namespace moec::lowering::nvptx {

class LaunchOrder {
public:
  /// For pieces of several stages, numbered stage by stage.
  LaunchOrder(KernelFrame &frame, int64_t stages);

  /// The number of the piece that this block is to do.
  Number piece() { return b.block(0); }
  /// Waits until all `pieces` of a stage are done; what they have stored is seen afterwards. For all threads of the block.
  void waitFor(int64_t stage, Number pieces);
  /// This block's piece of a stage is done; for all threads of the block, with or without a barrier since they have stored.
  void finish(int64_t stage);
  void finishBehindBarrier(int64_t stage);
  /// The same for the last stage, which has `pieces`, each of which has waited for the stage before it: nobody waits for these, so
  /// threads need not be together.
  void finishLast(Number pieces);

private:
  Signal done(int64_t stage) { return {b, counters + stage}; }

  KernelBuilder &b;
  int64_t stages;
  Pointer counters; ///< pieces done of each stage
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_LAUNCHES_LAUNCHORDER_H
