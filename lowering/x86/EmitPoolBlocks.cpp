// Blocks of cached rows pooled into one: an item is a token, which has something to do if it ends a block.
#include "lowering/kernel/Functions.h"
#include "lowering/x86/Emit.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

namespace {

/// The rows that one entry pools: where their values, gates and biases lie.
class PooledRows {
public:
  PooledRows(KernelFrame &frame, moe::PoolBlocksOp op)
      : frame(frame), b(frame.b), batch(frame.batch(op.getBatch())), cache(frame.cache(op.getCacheAttr())),
        bias(frame.weight(op.getBias())), block(op.getBlockSize()), width(moe::widthOf(op.getType())), overlaps(op.overlaps()),
        rows(frame.allocate(b.ptr, count())), biases(frame.allocate(b.ptr, count())) {}

  /// Looks up those of the entry of the block that ends with `token`, at `position`.
  void find(Number token, Number position) {
    Number sequence = (batch.tokenSequence + token).loadIndex(), begin = position + 1 - count();
    first = overlaps ? maximum(-begin, b.integer(0)) : b.integer(0);
    b.forRange(first, b.integer(count()), 1, [&](Number i) {
      // Of the block before, the first halves; of the entry's own, the second.
      Number column = overlaps ? select(i < block, b.integer(0), b.integer(width)) : b.integer(0);
      (rows + i).store(b.number((frame.cacheRow(cache, batch, sequence, begin + i) + column).value));
      (biases + i).store(b.number((bias.row(i % block) + column).value));
    });
  }

  /// Columns [column, column + lanes) of the entry.
  Number entry(Number column, int64_t lanes) {
    auto gate = [&](Number i) { return (row(i) + (column + bias.width())).loadF32(lanes) + (biasRow(i) + column).loadF32(lanes); };
    Number lowest = b.real(-std::numeric_limits<double>::infinity()).splat(lanes);
    Number largest = b.forRange(first, b.integer(count()), 1, {lowest}, [&](Number i, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{maximum(gate(i), before[0])};
    })[0];
    auto add = [&](Number i, ArrayRef<Number> before) {
      Number weight = exponential(gate(i) - largest);
      return KernelBuilder::Numbers{fma(weight, (row(i) + column).loadF32(lanes), before[0]), before[1] + weight};
    };
    KernelBuilder::Numbers sums = b.forRange(first, b.integer(count()), 1, {b.zero(lanes), b.zero(lanes)}, add);
    return sums[0] / sums[1];
  }

private:
  int64_t count() const { return overlaps ? 2 * block : block; }
  Pointer row(Number i) const { return (rows + i).loadPointer(cache.base.element); }
  Pointer biasRow(Number i) const { return (biases + i).loadPointer(bias.element()); }

  KernelFrame &frame;
  KernelBuilder &b;
  Batch batch;
  Cache cache;
  Weight bias;
  int64_t block, width;
  bool overlaps;
  Pointer rows, biases; ///< addresses
  Number first;         ///< of the rows: an entry without a block before it begins with its own
};

} // namespace

void moec::lowering::x86::emit(KernelFrame &frame, moe::PoolBlocksOp op) {
  KernelBuilder &b = frame.b;
  int64_t width = moe::widthOf(op.getType());
  Pointer positions = frame.batch(op.getBatch()).positions;
  PooledRows rows(frame, op);
  b.forRange(frame.begin, frame.end, 1, [&](Number token) {
    Pointer result = frame.result(0) + token * width;
    Number position = (positions + token).loadIndex();
    auto pool = [&] {
      rows.find(token, position);
      b.forColumns(width, [&](Number column, int64_t lanes) { (result + column).store(rows.entry(column, lanes)); });
    };
    auto clear = [&] { b.forColumns(width, [&](Number column, int64_t lanes) { (result + column).store(b.zero(lanes)); }); };
    b.ifThenElse((position + 1) % op.getBlockSize() == 0, pool, clear);
  });
}
