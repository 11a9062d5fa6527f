// The next token of each output: sums in vectors, searches in blocks of ids.
#include "lowering/kernel/TokenChoice.h"
#include "lowering/x86/Emit.h"

#include <algorithm>
#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

/// Ids that a search passes at once.
static constexpr int64_t blockSize = 1024;

namespace {
class RowChoice : public TokenChoice {
public:
  RowChoice(KernelBuilder &b, Pointer logits, int64_t vocabulary) : TokenChoice(b, logits, vocabulary), b(b) {}

private:
  Number iota(int64_t lanes) override { return b.iota(lanes); }
  Number sum(Number zero, Measure measure) override { return sum(zero, b.integer(0), b.integer(vocabulary), measure); }

  Number sum(Number zero, Number begin, Number end, Measure measure) {
    return overIds(
        zero, begin, end, [&](Number before, const Ids &ids) { return before + measure(ids); },
        [&](Number ofLanes) { return b.sumOfLanes(ofLanes); });
  }

  /// What `body` makes of the ids in [begin, end), one lane beside the other, and then one id after the other from what `fold`
  /// makes of the lanes.
  Number overIds(Number initial, Number begin, Number end, function_ref<Number(Number, const Ids &)> body,
                 function_ref<Number(Number)> fold) {
    Number whole = begin + (end - begin) / b.lanes * b.lanes;
    auto pass = [&](Number from, Number to, int64_t lanes, Number start) {
      return b.forRange(from, to, std::max<int64_t>(lanes, 1), {start}, [&](Number i, ArrayRef<Number> before) {
        return KernelBuilder::Numbers{body(before[0], idsFrom(i, lanes))};
      })[0];
    };
    return pass(whole, end, 0, fold(pass(begin, whole, b.lanes, initial.splat(b.lanes))));
  }

  Number find(Number bound, Measure measure) override {
    Number zero = bound.like(int64_t(0)), start = b.integer(0);
    auto ofBlock = [&](Number first) { return sum(zero, first, minimum(first + blockSize, b.integer(vocabulary)), measure); };
    KernelBuilder::Numbers block = b.repeatWhile(
        {start, zero, ofBlock(start)}, [&](ArrayRef<Number> at) { return at[1] + at[2] <= bound; },
        [&](ArrayRef<Number> at) {
          Number next = at[0] + blockSize;
          return KernelBuilder::Numbers{next, at[1] + at[2], ofBlock(next)};
        });
    KernelBuilder::Numbers id = b.repeatWhile(
        {block[0], block[1] + measure(idsFrom(block[0], 0))}, [&](ArrayRef<Number> at) { return at[1] <= bound; },
        [&](ArrayRef<Number> at) {
          Number next = at[0] + 1;
          return KernelBuilder::Numbers{next, at[1] + measure(idsFrom(next, 0))};
        });
    return id[0].toInteger(b.i32);
  }

  Number largestKey() override {
    return overIds(
        b.integer32(std::numeric_limits<int32_t>::min()), b.integer(0), b.integer(vocabulary),
        [](Number before, const Ids &ids) { return maximum(before, ids.key); },
        [&](Number ofLanes) { return b.maximumOfLanes(ofLanes); });
  }

  KernelBuilder &b;
};
} // namespace

void moec::lowering::x86::emit(KernelFrame &frame, moe::SampleOp op) {
  KernelBuilder &b = frame.b;
  int64_t vocabulary = moe::widthOf(op.getLogits().getType());
  Pointer logits = frame.buffer(op.getLogits()), settings = frame.buffer(op.getSettings());
  b.forRange(frame.begin, frame.end, 1, [&](Number output) {
    Pointer row = settings + output * moe::samplingWords;
    auto choose = [&] { return RowChoice(b, logits + output * vocabulary, vocabulary).choose(row); };
    (frame.result(0) + output).store(b.computeIf(row.load() != 0, choose, b.integer32(-1)));
  });
}
