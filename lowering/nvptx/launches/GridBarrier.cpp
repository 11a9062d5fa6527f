// The barrier of a grid: one thread speaks for its block.
#include "lowering/nvptx/launches/GridBarrier.h"

using namespace moec::lowering;
using namespace moec::lowering::nvptx;

void GridBarrier::meet(Number isNeeded) {
  meetings = meetings + select(isNeeded, b.integer(1), b.integer(0));
  b.barrier();
  b.ifThen(isNeeded, [&] {
    b.ifThen(b.thread() == 0, [&] {
      arrivals.raise();
      arrivals.await(b.gridSize() * meetings);
    });
    b.barrier();
  });
}

void GridBarrier::leave() {
  Number last = b.gridSize() * (meetings + 1) - 1;
  // Only the count matters from here on, and all see accesses to one place in one order: a block's awaiting before its last
  // addition, that before the reset.
  b.ifThen(b.thread() == 0, [&] { b.ifThen(arrivals.add() == last, [&] { arrivals.reset(); }); });
}
