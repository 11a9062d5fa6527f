// Counters in the workspace; the first thread of a block speaks for all.
#include "lowering/nvptx/launches/LaunchOrder.h"

using namespace moec::lowering;
using namespace moec::lowering::nvptx;

LaunchOrder::LaunchOrder(KernelFrame &frame, int64_t stages)
    : b(frame.b), stages(stages), counters(frame.allocateCounters(stages)) {}

void LaunchOrder::waitFor(int64_t stage, Number pieces) { done(stage).awaitByBlock(pieces); }

void LaunchOrder::finish(int64_t stage) { done(stage).raiseByBlock(); }

void LaunchOrder::finishLast(Number pieces) {
  b.barrier();
  b.ifThen(b.thread() == 0, [&] {
    Number before = done(stages - 1).raise();
    b.ifThen(before + 1 == pieces, [&] {
      done(stages - 1).fence(); // others have awaited counts that are not the one they raised last
      for (int64_t stage = 0; stage < stages; ++stage)
        done(stage).reset();
    });
  });
}
