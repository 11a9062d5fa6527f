// The positions that score highest for each token: scores of all pages, the k-th best of them, then a list.
#include "lowering/x86/DotTile.h"
#include "lowering/x86/Emit.h"

#include "lowering/plan/Schedule.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

namespace {

/// Scores of one token with every position, as integers of the same order.
class Scores {
public:
  Scores(KernelFrame &frame, moe::SelectPositionsOp op)
      : frame(frame), b(frame.b), batch(frame.batch(op.getBatch())), cache(frame.cache(op.getCacheAttr())),
        query(frame.buffer(op.getQuery())), weights(frame.buffer(op.getWeights())), heads(moe::widthOf(op.getWeights().getType())),
        form(b, {cache.base.element}, moe::Compute::F32),
        activations(frame.allocate(form.activation(), form.activationElements(heads, cache.width))),
        keyRows(WeightRows::allocate(frame, {cache.base.element}, pageSize)),
        products(frame.allocate(b.f32, form.resultElements(heads, pageSize))),
        keys(frame.allocate(b.i32, frame.mostCachedRows(cache))) {}

  /// Fills in the keys of positions [0, count) of the token's sequence; those of the last page beyond are the lowest.
  void fill(Number token, Number count) {
    Number sequence = (batch.tokenSequence + token).loadIndex();
    b.forRange(heads, [&](Number head) {
      form.convertRow(query + (token * heads + head) * cache.width, activations.plusBytes(head * form.rowBytes(cache.width)),
                      cache.width);
    });
    b.forRange(b.integer(0), count, pageSize, [&](Number pageStart) {
      if (cache.block == 1) {
        Pointer page = frame.cacheRow(cache, batch, sequence, pageStart);
        b.forRange(pageSize, [&](Number i) { keyRows.set(i, {page + i * cache.width}); });
      } else { // rows of several pages; beyond the last, that one again
        b.forRange(pageSize, [&](Number i) {
          keyRows.set(i, {frame.cacheRow(cache, batch, sequence, minimum(pageStart + i, count - 1) * cache.block)});
        });
      }
      form.multiply(activations, b.integer(heads), keyRows, b.integer(pageSize), cache.width, products, pageSize);
      b.forColumns(pageSize, [&](Number column, int64_t lanes) {
        Number score = b.forRange(b.integer(0), b.integer(heads), 1, {b.zero(lanes)}, [&](Number head, ArrayRef<Number> sums) {
          Number product = maximum((products + (head * pageSize + column)).load(lanes), b.zero(lanes));
          return KernelBuilder::Numbers{fma((weights + (token * heads + head)).load().splat(lanes), product, sums[0])};
        })[0];
        Number isVisible = (pageStart + column).toInteger(b.i32).splat(lanes) + b.iota(lanes) < count.toInteger(b.i32).splat(lanes);
        (keys + (pageStart + column)).store(select(isVisible, orderedBits(score), orderedBits(score).like(lowest)));
      });
    });
  }

  Number at(Number position) const { return (keys + position).loadIndex(); }

  /// How many of the keys of positions [0, count) are at least `least`.
  Number countFrom(Number least, Number count) const {
    Number bound = least.toInteger(b.i32).splat(b.lanes), none = b.integer32(0).splat(b.lanes);
    Number pages = (count + (pageSize - 1)) / pageSize * pageSize;
    Number counts = b.forRange(b.integer(0), pages, b.lanes, {none}, [&](Number i, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{before[0] + ((keys + i).load(b.lanes) >= bound).toUnsigned(b.i32)};
    })[0];
    return b.sumOfLanes(counts).toInteger(b.i64);
  }

  static constexpr int64_t lowest = std::numeric_limits<int32_t>::min();

private:
  KernelFrame &frame;
  KernelBuilder &b;
  Batch batch;
  Cache cache;
  Pointer query, weights;
  int64_t heads;
  DotForm form;
  Pointer activations;
  WeightRows keyRows;
  Pointer products, keys;
};

} // namespace

/// The highest key that at least `k` of `count` positions reach, by halving.
static Number thresholdOf(KernelBuilder &b, const Scores &scores, int64_t k, Number count) {
  KernelBuilder::Numbers range{b.integer(Scores::lowest), b.integer(std::numeric_limits<int32_t>::max())};
  return b.forRange(b.integer(0), b.integer(32), 1, range, [&](Number, ArrayRef<Number> before) {
    Number low = before[0], high = before[1], middle = low + (high - low + 1) / 2;
    Number reached = scores.countFrom(middle, count) >= k;
    return KernelBuilder::Numbers{select(reached, middle, low), select(reached, high, middle - 1)};
  })[0];
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::SelectPositionsOp op) {
  KernelBuilder &b = frame.b;
  int64_t k = moe::widthOf(op.getPositions().getType());
  Batch batch = frame.batch(op.getBatch());
  int64_t block = frame.cache(op.getCacheAttr()).block;
  Scores scores(frame, op);

  b.forRange(frame.begin, frame.end, 1, [&](Number token) {
    Pointer list = frame.result(0) + token * k;
    Number count = ((batch.positions + token).loadIndex() + 1) / block;
    auto selectBest = [&] {
      scores.fill(token, count);
      Number threshold = thresholdOf(b, scores, k, count);
      // Of those that just reach it, the first few.
      Number ties = b.integer(k) - scores.countFrom(threshold + 1, count);
      b.forRange(b.integer(0), count, 1, {b.integer(0), ties}, [&](Number position, ArrayRef<Number> before) {
        Number key = scores.at(position), isTie = (key == threshold) & (before[1] > 0), isTaken = (key > threshold) | isTie;
        b.ifThen(isTaken, [&] { (list + before[0]).store(position.toInteger(b.i32)); });
        return KernelBuilder::Numbers{before[0] + isTaken.toUnsigned(b.i64), before[1] - isTie.toUnsigned(b.i64)};
      });
    };
    auto takeAll = [&] {
      b.forRange(k, [&](Number i) { (list + i).store(select(i < count, i, b.integer(-1)).toInteger(b.i32)); });
    };
    b.ifThenElse(count > k, selectBest, takeAll);
  });
}
