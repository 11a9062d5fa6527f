// The next token of each output, a block to a row: threads add up ids side by side, and search stretches of them. Ids that a search
// has left are listed in shared memory when they are few.
#include "lowering/kernel/TokenChoice.h"
#include "lowering/nvptx/BlockReduction.h"
#include "lowering/nvptx/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Ids that a thread loads at once.
static constexpr int64_t idsAtOnce = 4;
static constexpr int64_t mostThreads = 1024;
/// Ids that are listed at most: of a usual distribution there are a few hundred.
static constexpr int64_t mostListed = 4096;

static int64_t threadsFor(int64_t vocabulary) {
  return std::min(int64_t(llvm::alignTo(llvm::divideCeil(vocabulary, idsAtOnce), warpSize)), mostThreads);
}

namespace {
class BlockChoice : public TokenChoice {
public:
  BlockChoice(KernelFrame &frame, Pointer logits, int64_t vocabulary)
      : TokenChoice(frame.b, logits, vocabulary), b(frame.b), threads(threadsFor(vocabulary)), reduction(frame, threads, b.i64),
        found(frame.allocateShared(b.i32, 1)), listed(frame.allocateShared(b.i32, 1)),
        listedIds(frame.allocateShared(b.i32, std::min(mostListed, vocabulary))),
        listedLogits(frame.allocateShared(b.f32, std::min(mostListed, vocabulary))) {
    b.ifThen(b.thread() == 0, [&] { listed.store(b.integer32(0)); });
    b.barrier();
  }

private:
  Number iota(int64_t lanes) override {
    SmallVector<int32_t> values(lanes);
    std::iota(values.begin(), values.end(), 0);
    return b.number(arith::ConstantOp::create(b, b.getI32VectorAttr(values)));
  }

  /// A thread's share of all ids, side by side with the other threads', added up by `body`.
  Number overOwnIds(Number initial, function_ref<Number(Number, const Ids &)> body) {
    int64_t lanes = vocabulary % idsAtOnce ? 0 : idsAtOnce, atOnce = std::max<int64_t>(lanes, 1);
    return b.forRange(b.thread() * atOnce, b.integer(vocabulary), threads * atOnce, {initial},
                      [&](Number i, ArrayRef<Number> before) {
                        return KernelBuilder::Numbers{body(before[0], idsFrom(i, lanes, atOnce * sizeof(float)))};
                      })[0];
  }

  Ids listedAt(Number i) { return idsOf(0, (listedIds + i).load(), (listedLogits + i).load()); }

  Number sum(Number zero, Measure measure) override {
    auto ofAll = [&] {
      return overOwnIds(zero, [&](Number before, const Ids &ids) { return before + b.sumOfElements(measure(ids)); });
    };
    if (!mayBeListed)
      return reduction.sum(ofAll());
    Number count = listed.load();
    Number own = b.computeIf(
        count > 0,
        [&] {
          return b.forRange(b.thread(), count.toInteger(b.i64), threads, {zero}, [&](Number i, ArrayRef<Number> before) {
            return KernelBuilder::Numbers{before[0] + measure(listedAt(i))};
          })[0];
        },
        ofAll);
    return reduction.sum(own);
  }

  Number largestKey() override {
    Number lowest = b.integer32(std::numeric_limits<int32_t>::min());
    Number own = overOwnIds(lowest, [&](Number before, const Ids &ids) {
      for (int64_t lane = 0; lane < ids.lanes; ++lane)
        before = maximum(before, ids.key.lane(lane));
      return ids.lanes ? before : maximum(before, ids.key);
    });
    largestOwn = own;
    return reduction.maximum(own);
  }

  /// As many threads have an id with such a key.
  Number keyReachedBy(Number most) override {
    return leastReaching(lowestKey(), most, [&](Number key) { return reduction.sum((largestOwn >= key).toUnsigned(b.i32)); });
  }

  /// Lists the ids in order, a stretch for each warp, if there is room.
  void restrictTo(Number least) override {
    mayBeListed = true;
    int64_t ofWarp = int64_t(llvm::alignTo(llvm::divideCeil(vocabulary, threads / warpSize), warpSize));
    Number first = b.warp() * ofWarp, end = minimum(first + ofWarp, b.integer(vocabulary)), none = b.integer32(0);
    auto overStretch = [&](function_ref<void(Number isOne, const Ids &, Number place)> body, Number before) {
      return b.forRange(first, end, warpSize, {before}, [&](Number i, ArrayRef<Number> at) {
        Number id = i + b.lane(), isInside = id < end;
        Ids ids = idsFrom(select(isInside, id, first), 0);
        Number isOne = isInside & (ids.key >= least), ones = b.ballot(isOne);
        body(isOne, ids, at[0] + b.countLanes(b.lanesBelow(ones)));
        return KernelBuilder::Numbers{at[0] + b.countLanes(ones)};
      })[0];
    };
    b.ifThen(listed.load() == 0, [&] {
      Number ofWarps = reduction.byLane(overStretch([](Number, const Ids &, Number) {}, none), none);
      Number before = b.shuffleFrom(b.sumBefore(ofWarps), b.warp().toInteger(b.i32)), count = b.sumOverWarp(ofWarps);
      b.ifThen(count <= mostListed, [&] {
        overStretch(
            [&](Number isOne, const Ids &ids, Number place) {
              b.ifThen(isOne, [&] {
                (listedIds + place).store(ids.id);
                (listedLogits + place).store(ids.logit);
              });
            },
            before);
        b.ifThen(b.thread() == 0, [&] { listed.store(count); });
        b.barrier();
      });
    });
  }

  Number find(Number bound, Measure measure) override {
    auto amongAll = [&] { findAmong(b.integer(vocabulary), [&](Number i) { return idsFrom(i, 0); }, bound, measure); };
    if (mayBeListed) {
      Number count = listed.loadIndex();
      b.ifThenElse(count > 0, [&] { findAmong(count, [&](Number i) { return listedAt(i); }, bound, measure); }, amongAll);
    } else {
      amongAll();
    }
    Number id = found.load();
    b.barrier(); // before anyone writes it again
    return id;
  }

  void findAmong(Number count, function_ref<Ids(Number)> at, Number bound, Measure measure) {
    Number ofThread = (count + (threads - 1)) / threads, first = b.thread() * ofThread, end = minimum(first + ofThread, count);
    Number zero = bound.like(int64_t(0)), own = b.forRange(first, end, 1, {zero}, [&](Number i, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{before[0] + measure(at(i))};
    })[0];
    Number before = reduction.sumBefore(own);
    b.ifThen((before <= bound) & (bound < before + own), [&] {
      KernelBuilder::Numbers reached = b.repeatWhile(
          {first, before + measure(at(first))}, [&](ArrayRef<Number> reached) { return reached[1] <= bound; },
          [&](ArrayRef<Number> reached) {
            Number next = reached[0] + 1;
            return KernelBuilder::Numbers{next, reached[1] + measure(at(next))};
          });
      found.store(at(reached[0]).id);
    });
    b.barrier();
  }

  KernelBuilder &b;
  const int64_t threads;
  BlockReduction reduction;
  Pointer found;            ///< what a search is for
  Number largestOwn;        ///< key of the thread's ids
  bool mayBeListed = false; ///< where the code runs that is emitted next
  Pointer listed;           ///< how many ids are listed; 0 where none are
  Pointer listedIds, listedLogits;
};
} // namespace

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::SampleOp op) {
  KernelBuilder &b = frame.b;
  int64_t vocabulary = moe::widthOf(op.getLogits().getType());
  frame.launch(threadsFor(vocabulary), {{.extent = plan::Extent::Outputs, .factor = 1}});
  Number output = b.block(0);
  Pointer row = frame.buffer(op.getSettings()) + output * moe::samplingWords;
  auto choose = [&] { return BlockChoice(frame, frame.buffer(op.getLogits()) + output * vocabulary, vocabulary).choose(row); };
  Number token = b.computeIf(row.load() != 0, choose, b.integer32(-1));
  b.ifThen(b.thread() == 0, [&] { (frame.result(0) + output).store(token); });
}
