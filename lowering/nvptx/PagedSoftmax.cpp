// A warp scores every fourth position of a page; every warp then knows the page's maximum and sum; a thread adds up columns.
#include "lowering/nvptx/PagedSoftmax.h"

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
      context(frame.allocateShared(frame.b.f32, valueWidth)) {}

Pointer PagedSoftmax::attend(Number first, Number last, const Options &options, Rows keys, Rows values) {
  Number none = b.real(-std::numeric_limits<double>::infinity());
  auto forColumns = [&](function_ref<void(Number)> body) { b.forThreads(b.integer(valueWidth), threads, body); };
  forColumns([&](Number column) { (context + column).store(b.real(0)); });
  b.barrier();

  // The maximum starts finite: the difference of two maxima is then never inf - inf.
  Number maximumBefore = options.sink ? *options.sink : b.real(std::numeric_limits<float>::lowest());
  Number sumBefore = b.real(options.sink ? 1 : 0);
  Number sum =
      b.forRange(first / pageSize, last / pageSize + 1, 1, {maximumBefore, sumBefore}, [&](Number page, ArrayRef<Number> before) {
        Number pageStart = page * pageSize;
        auto isVisible = [&](Number position) { return (first <= position) & (position <= last); };
        Pointer key = keys.page(pageStart), value = values.page(pageStart);
        b.forRange(b.warp(), b.integer(pageSize), warps, [&](Number i) {
          b.ifThen(isVisible(pageStart + i), [&] {
            Pointer row = key + i * keys.stride;
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
        // Positions that are not visible have no score: their words are not read.
        KernelBuilder::Numbers own;
        for (int64_t i = 0; i < scoresPerLane; ++i) {
          Number place = b.lane() + i * warpSize;
          own.push_back(b.loadIf(isVisible(pageStart + place), scores + place, none));
        }
        Number largest = own[0];
        for (Number score : ArrayRef(own).drop_front())
          largest = maximum(largest, score);
        Number now = maximum(b.maximumOverWarp(largest), before[0]), fade = exponential(before[0] - now);
        Number ofPage = b.real(0);
        for (auto [i, score] : llvm::enumerate(own)) {
          Number weight = select(score == none, b.real(0), exponential(score - now));
          ofPage = ofPage + weight;
          b.ifThen(b.warp() == 0, [&, i = i] { (weights + (b.lane() + int64_t(i) * warpSize)).store(weight); });
        }
        Number sum = fma(before[1], fade, b.sumOverWarp(ofPage));
        b.barrier();

        Number from = maximum(first - pageStart, b.integer(0)), to = minimum(last + 1 - pageStart, b.integer(pageSize));
        forColumns([&](Number column) {
          Number weighted = b.forRange(from, to, 1, {(context + column).load() * fade}, [&](Number i, ArrayRef<Number> sums) {
            return KernelBuilder::Numbers{fma((weights + i).load(), (value + i * values.stride + column).loadF32(), sums[0])};
          })[0];
          (context + column).store(weighted);
        });
        b.barrier();
        return KernelBuilder::Numbers{now, sum};
      })[1];
  forColumns([&](Number column) { (context + column).store((context + column).load() / sum); });
  b.barrier();
  return context;
}
