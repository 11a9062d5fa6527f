// A warp scores every fourth position of a page; every warp then knows the page's maximum and sum; a thread adds up columns.
#include "lowering/nvptx/attention/PagedSoftmax.h"

#include "lowering/kernel/Functions.h"
#include "lowering/plan/Schedule.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t warps = PagedSoftmax::threads / warpSize, scoresPerLane = pageSize / warpSize;

PagedSoftmax::PagedSoftmax(KernelFrame &frame, int64_t keyWidth, int64_t valueWidth)
    : query(frame.allocateShared(frame.b.f32, keyWidth)), b(frame.b), keyWidth(keyWidth), valueWidth(valueWidth),
      scores(frame.allocateShared(frame.b.f32, pageSize)), weights(frame.allocateShared(frame.b.f32, pageSize)),
      valueOffsets(frame.allocateShared(frame.b.i64, pageSize)), context(frame.allocateShared(frame.b.f32, valueWidth)) {}

PagedSoftmax::State PagedSoftmax::start(std::optional<Number> sink) {
  forColumns([&](Number column) { (context + column).store(b.real(0)); });
  b.barrier();
  // The maximum starts finite: the difference of two maxima is then never inf - inf.
  return {sink ? *sink : b.real(std::numeric_limits<float>::lowest()), b.real(sink ? 1 : 0)};
}

PagedSoftmax::State PagedSoftmax::meet(State state, Number first, Number end, const Options &options, Rows keys, Rows values) {
  Number none = b.real(-std::numeric_limits<double>::infinity());
  auto isMet = [&](Number row) { return (first <= row) & (row < end); };
  auto takePage = [&](Number pageStart, ArrayRef<Number> before) {
    b.forRange(b.warp(), b.integer(pageSize), warps, [&](Number i) {
      Number index = pageStart + i;
      b.ifThen(isMet(index), [&] {
        Pointer row = keys.base + keys.offset(index);
        Number product = b.forRange(b.lane(), b.integer(keyWidth), warpSize, {b.real(0)}, [&](Number k, ArrayRef<Number> sums) {
          return KernelBuilder::Numbers{fma((row + k).loadF32(), (query + k).load(), sums[0])};
        })[0];
        Number score = b.sumOverWarp(product) * b.real(options.scale);
        if (options.softCap) {
          Number cap = b.real(*options.softCap);
          score = cap * hyperbolicTangent(score / cap);
        }
        b.ifThen(b.lane() == 0, [&] { (scores + i).store(score); });
      });
    });
    b.barrier();
    // Rows that are not met have no score: their words are not read.
    KernelBuilder::Numbers own;
    for (int64_t i = 0; i < scoresPerLane; ++i) {
      Number place = b.lane() + i * warpSize;
      own.push_back(b.loadIf(isMet(pageStart + place), scores + place, none));
    }
    Number largest = own[0];
    for (Number score : ArrayRef(own).drop_front())
      largest = maximum(largest, score);
    Number now = maximum(b.maximumOverWarp(largest), before[0]), fade = exponential(before[0] - now);
    Number ofPage = b.real(0);
    for (auto [i, score] : llvm::enumerate(own)) {
      Number weight = select(score == none, b.real(0), exponential(score - now));
      ofPage = ofPage + weight;
      b.ifThen(b.warp() == 0, [&, i = i] {
        Number place = b.lane() + int64_t(i) * warpSize, index = pageStart + place;
        (weights + place).store(weight);
        b.ifThen(isMet(index), [&] { (valueOffsets + place).store(values.offset(index)); });
      });
    }
    Number sum = fma(before[1], fade, b.sumOverWarp(ofPage));
    b.barrier();

    Number from = maximum(first - pageStart, b.integer(0)), to = minimum(end - pageStart, b.integer(pageSize));
    forColumns([&](Number column) {
      Number weighted = b.forRange(from, to, 1, {(context + column).load() * fade}, [&](Number i, ArrayRef<Number> sums) {
        Number value = (values.base + (valueOffsets + i).load() + column).loadF32();
        return KernelBuilder::Numbers{fma((weights + i).load(), value, sums[0])};
      })[0];
      (context + column).store(weighted);
    });
    // Of the next page nothing that is read here is stored before its first barrier.
    return KernelBuilder::Numbers{now, sum};
  };
  KernelBuilder::Numbers after = b.forRange(first / pageSize * pageSize, end, pageSize, {state.largest, state.sum}, takePage);
  return {after[0], after[1]};
}

Number PagedSoftmax::contextOf(State state, Number column) { return (context + column).load() / state.sum; }

Pointer PagedSoftmax::finish(State state) {
  forColumns([&](Number column) { (context + column).store(contextOf(state, column)); });
  return context;
}
