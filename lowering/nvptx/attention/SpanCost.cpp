// More spans fill more multiprocessors, and take longer to add up.
#include "lowering/nvptx/attention/SpanCost.h"

#include "lowering/plan/Schedule.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Microseconds of a page of positions, by what it is to load and to multiply; of a span that is added; of what is around either.
static constexpr double pageStep = 0.5, spanStep = 0.25, around = 1;
/// The model knows little of what keeps a multiprocessor waiting: more blocks are taken for so much.
static constexpr double forMoreBlocks = 1.1;
static constexpr int64_t manySpans = 128;
/// What the spans of a step's tokens leave takes at most.
static constexpr int64_t mostBytes = 512 << 20;

static int64_t ceilDiv(int64_t number, int64_t divisor) { return int64_t(llvm::divideCeil(uint64_t(number), uint64_t(divisor))); }

Cost moec::lowering::nvptx::costOf(const SpanSizes &sizes, const Spans &spans, int64_t positions, const Machine &machine) {
  int64_t length = spans.lengthAt(positions - 1), count = ceilDiv(positions, length);
  double bytes = double(positions) * double(sizes.bytesOfRow), sums = double(count) * double(sizes.bytesOfSums);
  Work attend{.blocks = sizes.blocks * count,
              .microseconds = around + pageStep * double(ceilDiv(std::min(length, positions), pageSize)),
              .bytes = bytes + sums,
              .distinctBytes = bytes};
  Work add{.blocks = sizes.blocks, .microseconds = around + spanStep * double(count), .bytes = sums};
  return costOf(attend, machine) + costOf(add, machine);
}

int64_t moec::lowering::nvptx::mostSpans(const SpanSizes &sizes, int64_t shortest, int64_t positions, int64_t rows,
                                         const Machine &machine) {
  llvm::SmallVector<Cost> costs; // of 1, 2, 4, ...
  int64_t affordable = std::max(mostBytes / rows / sizes.bytesOfSums, usualSpans);
  for (int64_t most = 1; most <= std::min({sizes.mostSpans, affordable, manySpans}); most *= 2)
    costs.push_back(costOf(sizes, {shortest, most}, positions, machine));
  auto isFaster = [](const Cost &a, const Cost &b) { return a.microseconds < b.microseconds; };
  double least = llvm::min_element(costs, isFaster)->microseconds;
  size_t best = 0;
  for (size_t i = 1; i < costs.size(); ++i)
    if (costs[i].blocks > costs[best].blocks && costs[i].microseconds <= forMoreBlocks * least)
      best = i;
  return int64_t(1) << best;
}

int64_t moec::lowering::nvptx::usualSpansOf(const SpanSizes &sizes) {
  return int64_t(llvm::bit_floor(uint64_t(std::min(sizes.mostSpans, usualSpans))));
}

int64_t moec::lowering::nvptx::chooseMostSpans(const KernelFrame &frame, const SpanSizes &sizes, int64_t shortest,
                                               const Cache &cache, std::optional<int64_t> listed) {
  if (frame.kernel->getParentOfType<ModuleOp>().getOps<plan::ModelOp>().empty())
    return usualSpansOf(sizes);
  const Target &target = frame.b.target;
  int64_t cached = frame.mostCachedRows(cache), positions = std::min(cached, listed.value_or(cached)),
          most = mostSpans(sizes, shortest, positions, frame.mostRows, target.machine);
  auto describe = [&](int64_t most) { return costOf(sizes, {shortest, most}, positions, target.machine).describe(); };
  frame.remark("cut-attention", most > 1,
               llvm::formatv("{0} positions: one span {1}; at most {2} spans {3}", positions, describe(1), most, describe(most)));
  return most;
}
