// The positions that score highest for each token, in one launch: blocks score positions, then a block a token lists the best.
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/launches/RowOrder.h"
#include "lowering/nvptx/positions/KeySelection.h"
#include "lowering/nvptx/positions/ScoresByMatrix.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t threads = KeySelection::threads;
static_assert(threads == ScoresByMatrix::threads);
/// Blocks that share the positions of a token at most.
static constexpr int64_t mostShares = 64;
/// Tokens whose scores there is room for at once: enough to keep a GPU busy, and more as long as they take little.
static constexpr int64_t fewTokens = 64, manyTokens = 512, littleBytes = 64 << 20;
/// Heads whose products a thread adds up at once.
static constexpr int64_t headsAtOnce = 8;

namespace {

class PositionSelection {
public:
  PositionSelection(KernelFrame &frame, moe::SelectPositionsOp op)
      : frame(frame), b(frame.b), batch(frame.batch(op.getBatch())), cache(frame.cache(op.getCacheAttr())),
        query(frame.buffer(op.getQuery())), weights(frame.buffer(op.getWeights())), result(frame.result(0)),
        heads(moe::widthOf(op.getWeights().getType())), k(moe::widthOf(op.getPositions().getType())),
        byMatrix(ScoresByMatrix::fits(b.target, cache, heads)), atOnce(byMatrix ? ScoresByMatrix::positionsAtOnce : threads),
        shares(std::min(mostShares, int64_t(llvm::divideCeil(frame.mostCachedRows(cache), atOnce)))),
        positions(frame.mostCachedRows(cache)),
        tokensAtOnce(std::min(frame.mostRows, std::clamp(littleBytes / (4 * positions), fewTokens, manyTokens))),
        order(frame, shares, tokensAtOnce), keys(frame.allocateForStep(b.i32, tokensAtOnce * positions)) {}

  void emit() {
    frame.launch(threads, {order.grid()});
    order.take([&](Number token, Number slot, Number share) { scoreShare(token, keysOf(slot), share); },
               [&](Number token, Number slot) { listBest(token, keysOf(slot)); });
  }

private:
  Number positionOf(Number token) { return (batch.positions + token).loadIndex(); }
  /// How many positions, or blocks of them, a token sees.
  Number countOf(Number token) { return (positionOf(token) + 1) / cache.block; }
  Pointer keysOf(Number slot) { return keys + slot * positions; }

  /// Every share-th part of a token's scores, as integers of the same order; where all positions are chosen, none is asked for.
  void scoreShare(Number token, Pointer keys, Number share) {
    Number count = countOf(token), sequence = (batch.tokenSequence + token).loadIndex();
    auto rowOf = [&](Number position) { return frame.cacheRow(cache, batch, sequence, position * cache.block); };
    auto store = [&](Number position, Number score) { (keys + position).store(orderedBits(score)); };
    Number first = share * atOnce, stride = b.integer(shares * atOnce);
    b.ifThen((count > k) & (first < count), [&] {
      if (byMatrix)
        return frame.alternative([&] {
          ScoresByMatrix(frame, heads, cache.width)
              .score({query + token * heads * cache.width, weights + token * heads}, first, stride, count, rowOf, store);
        });
      b.forRange(first + b.thread(), count, shares * atOnce,
                 [&](Number position) { store(position, scoreOf(token, rowOf(position))); });
    });
  }

  /// The score of a position by one thread.
  Number scoreOf(Number token, Pointer row) {
    int64_t whole = heads / headsAtOnce * headsAtOnce;
    Number score = b.forRange(b.integer(0), b.integer(whole), headsAtOnce, {b.real(0)}, [&](Number head, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{addHeads(token, head, headsAtOnce, row, before[0])};
    })[0];
    return heads > whole ? addHeads(token, b.integer(whole), heads - whole, row, score) : score;
  }

  /// `score` and what `count` heads from `first` on add to it.
  Number addHeads(Number token, Number first, int64_t count, Pointer row, Number score) {
    int64_t lanes = 8; // loaded at once
    while (cache.width % lanes)
      lanes /= 2;
    int64_t vector = lanes == 1 ? 0 : lanes;
    Pointer queries = query + (token * heads + first) * cache.width;
    KernelBuilder::Numbers zeros(count, b.real(0).splat(vector));
    KernelBuilder::Numbers sums =
        b.forRange(b.integer(0), b.integer(cache.width), lanes, zeros, [&](Number i, ArrayRef<Number> before) {
          Number key = widen((row + i).load(vector, std::min<int64_t>(lanes * bytesOf(cache.base.element), 16)));
          KernelBuilder::Numbers after;
          for (int64_t head = 0; head < count; ++head)
            after.push_back(
                fma((queries + (i + head * cache.width)).load(vector, std::min<int64_t>(4 * lanes, 16)), key, before[head]));
          return after;
        });
    for (auto [head, sum] : llvm::enumerate(sums))
      score = fma((weights + (token * heads + first + int64_t(head))).load(), maximum(b.sumOfElements(sum), b.real(0)), score);
    return score;
  }

  /// Keys are read behind a barrier.
  void listBest(Number token, Pointer keys) {
    Pointer list = result + token * k;
    Number count = countOf(token);
    auto takeAll = [&] {
      b.forThreads(b.integer(k), threads,
                   [&](Number i) { (list + i).store(select(i < count, i, b.integer(-1)).toInteger(b.i32)); });
    };
    auto takeLargest = [&] { frame.alternative([&] { KeySelection(frame, k).takeLargest(keys, count, list); }); };
    b.ifThenElse(count > k, takeLargest, takeAll);
  }

  KernelFrame &frame;
  KernelBuilder &b;
  Batch batch;
  Cache cache;
  Pointer query, weights, result;
  int64_t heads, k;
  bool byMatrix;        ///< whether matrix units score
  int64_t atOnce;       ///< positions that a block scores at once
  int64_t shares;       ///< blocks that share a token's positions
  int64_t positions;    ///< of a token at most
  int64_t tokensAtOnce; ///< whose scores there is room for
  RowOrder order;
  Pointer keys; ///< i32 [tokens at once, positions]
};

} // namespace

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::SelectPositionsOp op) { PositionSelection(frame, op).emit(); }
