// Weights of spans that are relative to different scores are brought to the largest of them.
#include "lowering/nvptx/SpanSums.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

SpanSums::SpanSums(KernelFrame &frame, Spans spans, int64_t heads, int64_t width)
    : spans(spans), b(frame.b), heads(heads), width(width), contexts(frame.allocateForRows(b.f32, spans.most * heads * width)),
      weights(frame.allocateForRows(b.f32, spans.most * heads * 2)) {}

Number SpanSums::lengthAt(Number position) { return b.integer(spans.shortest) << spans.doublings(position); }

void SpanSums::storeContext(Number token, Number span, Number head, Number column, Number two) {
  (contexts + (place(token, span, head) * width + column)).store(two, 8);
}

void SpanSums::storeWeights(Number token, Number span, Number head, Number largest, Number sum) {
  (weights + place(token, span, head) * 2).store(b.gather({largest, sum}), 8);
}

void SpanSums::storeFactors(Number token, Number first, Number last, Number head, Pointer factors, std::optional<Number> sink) {
  auto weightsOf = [&](Number span) { return (weights + place(token, span, head) * 2).load(2, 8); };
  Number start = sink ? *sink : b.real(std::numeric_limits<float>::lowest());
  Number largest = b.forRange(first, last + 1, 1, {start}, [&](Number span, ArrayRef<Number> before) {
    return KernelBuilder::Numbers{maximum(before[0], weightsOf(span).lane(0))};
  })[0];
  Number ofSink = sink ? b.powerOfTwo(*sink - largest) : b.real(0);
  Number sum = b.forRange(first, last + 1, 1, {ofSink}, [&](Number span, ArrayRef<Number> before) {
    Number ofSpan = weightsOf(span);
    return KernelBuilder::Numbers{fma(ofSpan.lane(1), b.powerOfTwo(ofSpan.lane(0) - largest), before[0])};
  })[0];
  b.forRange(first, last + 1, 1,
             [&](Number span) { (factors + span).store(b.powerOfTwo(weightsOf(span).lane(0) - largest) / sum); });
}

Number SpanSums::contextOf(Number token, Number first, Number last, Number head, Number column, Pointer factors) {
  return b.forRange(first, last + 1, 1, {b.real(0).splat(2)}, [&](Number span, ArrayRef<Number> before) {
    Number two = (contexts + (place(token, span, head) * width + column)).load(2, 8);
    return KernelBuilder::Numbers{fma(two, (factors + span).load().splat(2), before[0])};
  })[0];
}
