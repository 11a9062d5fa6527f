// Weights of spans that are relative to different scores are brought to the largest of them.
#include "lowering/nvptx/attention/SpanSums.h"

#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

SpanSums::SpanSums(KernelFrame &frame, ArrayRef<Spans> kinds, int64_t heads, int64_t width)
    : kinds(kinds), b(frame.b), heads(heads), width(width), contexts(frame.allocateForRows(b.f32, count() * heads * width)),
      weights(frame.allocateForRows(b.f32, count() * heads * 2)) {}

int64_t SpanSums::countOf(ArrayRef<Spans> kinds) {
  int64_t count = 0;
  for (const Spans &spans : kinds)
    count += spans.most;
  return count;
}

Number SpanSums::lengthBits(int64_t kind, Number last) {
  const Spans &spans = kinds[size_t(kind)];
  int64_t ofShortest = int64_t(llvm::Log2_64(uint64_t(spans.shortest)));
  return spans.areShortest ? b.integer(ofShortest) : spans.doublings(last) + ofShortest;
}

Number SpanSums::countUpTo(Number last, Number lengthBits) { return (last + (b.integer(1) << lengthBits)) >> lengthBits; }

SpanSums::Range SpanSums::rangeOf(int64_t kind, Number first, Number last) {
  Number bits = lengthBits(kind, last);
  int64_t before = countBefore(kind);
  return {(first >> bits) + before, countUpTo(last, bits) + before};
}

Number SpanSums::forSpans(ArrayRef<Range> ranges, Number initial, function_ref<Number(Number, Number)> body) {
  for (const Range &range : ranges)
    initial = b.forRange(range.first, range.end, 1, {initial},
                         [&](Number span, ArrayRef<Number> before) { return KernelBuilder::Numbers{body(span, before[0])}; })[0];
  return initial;
}

void SpanSums::storeContext(Number token, Number span, Number head, Number column, Number two) {
  (contexts + (place(token, span, head) * width + column)).store(two, 8);
}

void SpanSums::storeWeights(Number token, Number span, Number head, Number largest, Number sum) {
  (weights + place(token, span, head) * 2).store(b.gather({largest, sum}), 8);
}

void SpanSums::storeFactors(Number token, ArrayRef<Range> ranges, Number head, Pointer factors, std::optional<Number> sink) {
  auto weightsOf = [&](Number span) { return (weights + place(token, span, head) * 2).load(2, 8); };
  Number start = sink ? *sink : b.real(std::numeric_limits<float>::lowest());
  Number largest = forSpans(ranges, start, [&](Number span, Number before) { return maximum(before, weightsOf(span).lane(0)); });
  Number ofSink = sink ? b.powerOfTwo(*sink - largest) : b.real(0);
  Number sum = forSpans(ranges, ofSink, [&](Number span, Number before) {
    Number ofSpan = weightsOf(span);
    return fma(ofSpan.lane(1), b.powerOfTwo(ofSpan.lane(0) - largest), before);
  });
  for (const Range &range : ranges)
    b.forRange(range.first, range.end, 1,
               [&](Number span) { (factors + span).store(b.powerOfTwo(weightsOf(span).lane(0) - largest) / sum); });
}

Number SpanSums::contextOf(Number token, ArrayRef<Range> ranges, Number head, Number column, Pointer factors) {
  auto add = [&](Number span, Number before) {
    Number two = (contexts + (place(token, span, head) * width + column)).load(2, 8);
    return fma(two, (factors + span).load().splat(2), before);
  };
  Number zero = b.real(0).splat(2);
  if (count() == 1) // without a loop, the loads of several columns are on their way together
    return add(b.integer(0), zero);
  return forSpans(ranges, zero, add);
}
