// More spans fill more multiprocessors, and take longer to add up.
#include "lowering/nvptx/attention/SpanCost.h"

#include "lowering/plan/Schedule.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// A step is a page of positions, or a span that is added; what comes before and behind takes some more.
static constexpr int64_t stepsAround = 2;
static constexpr int64_t fewSpans = 16, manySpans = 128;
/// What the spans of a step's tokens leave takes at most.
static constexpr int64_t mostBytes = 512 << 20;

static int64_t ceilDiv(int64_t number, int64_t divisor) { return int64_t(llvm::divideCeil(uint64_t(number), uint64_t(divisor))); }

Cost moec::lowering::nvptx::costOf(const SpanSizes &sizes, const Spans &spans, int64_t positions, const Machine &machine) {
  int64_t length = spans.lengthAt(positions - 1), count = ceilDiv(positions, length);
  double bytes = double(positions) * double(sizes.bytesOfRow), sums = double(count) * double(sizes.bytesOfSums);
  Work attend{.blocks = sizes.blocks * count,
              .steps = double(stepsAround + ceilDiv(std::min(length, positions), pageSize)),
              .bytes = bytes + sums,
              .distinctBytes = bytes};
  Work add{.blocks = sizes.blocks, .steps = double(stepsAround + count), .bytes = sums};
  return costOf(attend, machine) + costOf(add, machine);
}

int64_t moec::lowering::nvptx::mostSpans(const SpanSizes &sizes, int64_t shortest, int64_t positions, int64_t rows,
                                         const Machine &machine) {
  auto microseconds = [&](int64_t most) { return costOf(sizes, {shortest, most}, positions, machine).microseconds; };
  int64_t best = 1;
  for (int64_t most = 2; most <= std::min(sizes.mostSpans, manySpans) && most * sizes.bytesOfSums <= mostBytes / rows; most *= 2)
    if (microseconds(most) < microseconds(best))
      best = most;
  return best;
}

int64_t moec::lowering::nvptx::chooseMostSpans(const KernelFrame &frame, const SpanSizes &sizes, int64_t shortest,
                                               const Cache &cache, std::optional<int64_t> window) {
  if (frame.kernel->getParentOfType<ModuleOp>().getOps<plan::ModelOp>().empty())
    return int64_t(llvm::bit_floor(uint64_t(std::min(sizes.mostSpans, fewSpans))));
  const Target &target = frame.b.target;
  int64_t cached = frame.mostCachedRows(cache), positions = std::min(cached, window.value_or(cached)),
          most = mostSpans(sizes, shortest, positions, frame.mostRows, target.machine);
  auto label = remark::RemarkOpts::name("cut-attention").category("cut-attention").function(frame.kernel.getSymName());
  auto describe = [&](int64_t most) { return costOf(sizes, {shortest, most}, positions, target.machine).describe(); };
  Location location = frame.kernel.getLoc();
  (most > 1 ? remark::passed(location, label) : remark::missed(location, label))
      << llvm::formatv("{0}, {1} positions: one span {2}; at most {3} spans {4}", target.name, positions, describe(1), most,
                       describe(most))
             .str();
  return most;
}
