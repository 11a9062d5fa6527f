// Groups of as many rows as there are slots: the pieces of a group's rows, then their last ones.
#include "lowering/nvptx/launches/RowOrder.h"

using namespace moec::lowering;
using namespace moec::lowering::nvptx;

RowOrder::RowOrder(KernelFrame &frame, int64_t pieces, int64_t slots)
    : frame(frame), b(frame.b), pieces(pieces), slots(slots), counters(frame.allocateCounters(1 + 2 * slots)) {}

void RowOrder::take(Piece piece, Last last) {
  const int64_t ofGroup = slots * (pieces + 1);
  Number block = b.block(0), group = block / ofGroup, inGroup = block % ofGroup, first = group * slots;
  Number ofPieces = minimum(frame.rows - first, b.integer(slots)) * pieces;
  auto takePiece = [&] {
    Number slot = inGroup / pieces;
    b.ifThen(group > 0, [&] { lastDone(slot).awaitByBlock(group); }); // by the rows that had the slot before
    piece(first + slot, slot, inGroup % pieces);
    piecesDone(slot).raiseByBlock();
  };
  auto takeLast = [&] {
    Number slot = inGroup - ofPieces;
    b.ifThen(b.thread() == 0, [&] { piecesDone(slot).await((group + 1) * pieces); });
    last(first + slot, slot);
    b.barrier();
    b.ifThen(b.thread() == 0, [&] { finish(slot); });
  };
  b.ifThenElse(inGroup < ofPieces, takePiece, takeLast);
}

/// The last of all rows leaves the counters at zero.
void RowOrder::finish(Number slot) {
  lastDone(slot).raise();
  Number before = rowsDone().raise();
  b.ifThen(before + 1 == frame.rows, [&] {
    rowsDone().fence(); // others have awaited counts that are not the one they raised last
    rowsDone().reset();
    b.forRange(minimum(frame.rows, b.integer(slots)), [&](Number used) {
      piecesDone(used).reset();
      lastDone(used).reset();
    });
  });
}
