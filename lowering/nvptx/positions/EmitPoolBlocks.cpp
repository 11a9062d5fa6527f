// Blocks of cached rows pooled into one, a thread to a column: a token has something to pool if it ends a block.
#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/Emit.h"

#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t threads = 128;

namespace {

/// The rows that the entry of the block which ends at one position pools.
class PooledRows {
public:
  PooledRows(KernelFrame &frame, moe::PoolBlocksOp op, Number token, Number position)
      : frame(frame), b(frame.b), batch(frame.batch(op.getBatch())), cache(frame.cache(op.getCacheAttr())),
        bias(frame.weight(op.getBias())), block(op.getBlockSize()), width(moe::widthOf(op.getType())), overlaps(op.overlaps()),
        sequence((batch.tokenSequence + token).loadIndex()), begin(position + 1 - count()),
        first(overlaps ? select(begin < 0, b.integer(block), b.integer(0)) : b.integer(0)) {}

  /// A column of the entry: a softmax over its gates, then the sum of its values.
  Number entry(Number column) {
    Number largest = forRows({b.real(-std::numeric_limits<double>::infinity())}, [&](Number row, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{maximum(gate(row, column), before[0])};
    })[0];
    KernelBuilder::Numbers sums = forRows({b.real(0), b.real(0)}, [&](Number row, ArrayRef<Number> before) {
      Number weight = exponential(gate(row, column) - largest);
      return KernelBuilder::Numbers{fma(weight, value(row, column), before[0]), before[1] + weight};
    });
    return sums[0] / sums[1];
  }

private:
  int64_t count() const { return overlaps ? 2 * block : block; }
  KernelBuilder::Numbers forRows(ArrayRef<Number> initial, function_ref<KernelBuilder::Numbers(Number, ArrayRef<Number>)> body) {
    return b.forRange(first, b.integer(count()), 1, initial, body);
  }
  /// Where a row of the cache has the column: of the block before, in the first half; of the entry's own, in the second.
  Number columnIn(Number row, Number column) const {
    return overlaps ? column + select(row < block, b.integer(0), b.integer(width)) : column;
  }
  Pointer cached(Number row) const { return frame.cacheRow(cache, batch, sequence, begin + row); }
  Number value(Number row, Number column) const { return (cached(row) + columnIn(row, column)).loadF32(); }
  Number gate(Number row, Number column) const {
    Number at = columnIn(row, column);
    return (cached(row) + (at + bias.width())).loadF32() + (bias.row(row % block) + at).loadF32();
  }

  KernelFrame &frame;
  KernelBuilder &b;
  Batch batch;
  Cache cache;
  Weight bias;
  int64_t block, width;
  bool overlaps;
  Number sequence;
  Number begin; ///< the position of the first row
  Number first; ///< of the rows: an entry without a block before it begins with its own
};

} // namespace

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::PoolBlocksOp op) {
  KernelBuilder &b = frame.b;
  int64_t width = moe::widthOf(op.getType());
  frame.launch(threads, {KernelFrame::constant(int64_t(llvm::divideCeil(uint64_t(width), threads))), frame.perRow()});
  Number column = b.block(0) * threads + b.thread(), token = b.block(1);
  Number position = (frame.batch(op.getBatch()).positions + token).loadIndex();
  b.ifThen(column < width, [&] {
    Number entry = b.computeIf((position + 1) % op.getBlockSize() == 0,
                               [&] { return PooledRows(frame, op, token, position).entry(column); }, b.real(0));
    (frame.result(0) + token * width + column).store(entry);
  });
}
