// The order of work within one launch that has memory for a few rows at a time: pieces of a row, then what makes its result of
// them.
//
// Rows take turns at slots of that memory. As in LaunchOrder blocks wait only for those that have started before them.
#ifndef MOEC_LOWERING_NVPTX_LAUNCHES_ROWORDER_H
#define MOEC_LOWERING_NVPTX_LAUNCHES_ROWORDER_H

#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/launches/Signal.h"

namespace moec::lowering::nvptx {

class RowOrder {
public:
  /// For every row of the step so many `pieces`, each a block's, and a last one.
  RowOrder(KernelFrame &frame, int64_t pieces, int64_t slots);

  LaunchDimension grid() const { return frame.perRow(1, pieces + 1); }
  using Piece = llvm::function_ref<void(Number row, Number slot, Number number)>;
  using Last = llvm::function_ref<void(Number row, Number slot)>;
  /// Does this block's: a piece, or, when all of these are done, the last one, whose threads meet at a barrier before they read
  /// what pieces have stored: the first of them alone has waited. For all threads of the block.
  void take(Piece piece, Last last);

private:
  /// How many pieces, or last ones, of rows that have been in a slot are done.
  Signal piecesDone(Number slot) { return {b, counters + 1 + slot}; }
  Signal lastDone(Number slot) { return {b, counters + 1 + slots + slot}; }
  Signal rowsDone() { return {b, counters}; }
  void finish(Number slot);

  KernelFrame &frame;
  KernelBuilder &b;
  const int64_t pieces, slots;
  Pointer counters; ///< of rows, of pieces of each slot, of its last ones
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_LAUNCHES_ROWORDER_H
