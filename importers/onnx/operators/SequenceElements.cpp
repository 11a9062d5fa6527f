// Where elements of packed sequences lie, and what they are.
#include "importers/onnx/operators/SequenceElements.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

const Sequence *onnx::sequenceOf(Call &call) {
  const Sequence *sequence = call.in(0).sequence.get();
  if (!sequence)
    (void)call.refuse("expected a sequence, got " + kindOf(call.in(0)));
  return sequence;
}

LogicalResult onnx::giveList(Call &call, DataType type, std::vector<Tensor> list) {
  if (!countElements(call.e, list))
    return call.refuse(tooManyElements);
  call.give(0, asValue(Sequence{type, std::move(list), {}, {}, {}}));
  return success();
}

LogicalResult onnx::expectEqualRanks(Call &call, const Ranks &ranks) {
  if (ranks.kind == Ranks::Equal)
    return success();
  return call.refuse(ranks.kind == Ranks::AtMost ? "expected a sequence whose elements have the same number of dimensions"
                                                 : "expected a sequence of whose elements the number of dimensions is known");
}

Extent onnx::startOf(Emitter &e, const Sequence &sequence, const Extent &position) {
  if (position.is(0))
    return 0;
  Tensor before = e.sliceAxis(countsOf(e, sequence.shapes), 0, 0, position);
  return e.extents.of(Scalars(e.b).toIndex(e.scalar(e.sum(before, {0}))), true);
}

Shape onnx::sizesAt(Emitter &e, const Sequence &sequence, const Extent &position) {
  Tensor row = e.sliceAxis(sequence.shapes, 0, position, 1);
  if (row.elements)
    return Shape(row.elements->begin(), row.elements->end());
  Value source = e.value(row);
  Shape sizes;
  Scalars s(e.b);
  for (int64_t axis = 0; axis < sequence.ranks.most; ++axis) {
    Value size = tensor::ExtractOp::create(e.b, source, ValueRange{s.index(0), s.index(axis)});
    sizes.push_back(e.extents.of(s.toIndex(size), true));
  }
  return sizes;
}

Tensor onnx::elementAt(Emitter &e, const Sequence &sequence, const Extent &position, const Extent &start) {
  Shape sizes = sizesAt(e, sequence, position);
  Tensor scalars = e.sliceAxis(sequence.scalars, 0, start, e.extents.product(sizes));
  return e.reshape(scalars, sizes);
}
