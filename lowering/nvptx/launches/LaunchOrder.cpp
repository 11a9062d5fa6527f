// Counters in the workspace; the first thread of a block speaks for all.
#include "lowering/nvptx/launches/LaunchOrder.h"

using namespace moec::lowering;
using namespace moec::lowering::nvptx;

LaunchOrder::LaunchOrder(KernelFrame &frame, int64_t stages)
    : b(frame.b), stages(stages), counters(frame.allocateCounters(stages)) {}

void LaunchOrder::waitFor(int64_t stage, Number pieces) { done(stage).awaitByBlock(pieces); }

void LaunchOrder::finish(int64_t stage) { done(stage).raiseByBlock(); }

void LaunchOrder::finishBehindBarrier(int64_t stage) {
  b.ifThen(b.thread() == 0, [&] { done(stage).raise(); });
}

// Without a fence, as nothing is to be seen but counts. Who adds last has the additions of all others before it, each of which is
// made only when its thread has read the count that it waited for: nobody waits any more. The resets are the last that happens to
// each count: this thread has read the one of the stage before in full, whose additions were released after all that led to them.
void LaunchOrder::finishLast(Number pieces) {
  b.ifThen(b.thread() == 0, [&] {
    b.ifThen(done(stages - 1).add() + 1 == pieces, [&] {
      for (int64_t stage = 0; stage < stages; ++stage)
        done(stage).reset();
    });
  });
}
