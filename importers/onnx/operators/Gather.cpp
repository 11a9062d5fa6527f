// Elements and slices by index.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Indices.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

LogicalResult onnx::checkIndices(Call &call, const Tensor &indices, const Extent &size) {
  if (indices.type != DataType::Int64 && indices.type != DataType::Int32)
    return call.refuse("expected indices of int32 or int64, got " + nameOf(indices.type));
  if (indices.elements && size.isConstant()) {
    for (const Extent &index : *indices.elements)
      if (index.isConstant() && (index.constant() < -size.constant() || index.constant() >= size.constant()))
        return call.refuse("index " + Twine(index.constant()) + " is out of the range of " + Twine(size.constant()));
  }
  Emitter &e = call.e;
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < indices.rank(); ++axis)
    axes.push_back(axis);
  Value bound = arith::IndexCastOp::create(e.b, e.elementType(indices.type), e.extents.value(size));
  Subscripts all;
  for (int64_t axis : axes)
    all.push_back(static_cast<int>(axis));
  Tensor isRight = e.loop({indices}, {all}, indices.shape, 0, DataType::Bool, 1, [&](Scalars &s, ValueRange x) {
    return s.both(x[1], s.both(s.lessOrEqual(s.negate(bound), x[0]), s.less(x[0], bound)));
  });
  if (!indices.elements)
    e.require(e.scalar(isRight), call.place() + ": an index is out of range");
  return success();
}

Value onnx::fromFront(Scalars &s, Value index, Value size) {
  Scalars indices(s.b);
  Value at = indices.toIndex(index);
  return indices.select(indices.less(at, indices.index(0)), indices.add(at, size), at);
}

static LogicalResult gather(Call &call) {
  const Tensor &data = call.in(0), &indices = call.in(1);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", 0), data.rank());
  if (failed(axis) || failed(checkIndices(call, indices, data.shape[*axis])))
    return failure();
  Emitter &e = call.e;
  Shape shape(data.shape.begin(), data.shape.begin() + *axis);
  shape.append(indices.shape.begin(), indices.shape.end());
  shape.append(data.shape.begin() + *axis + 1, data.shape.end());
  Subscripts ofIndices;
  for (int64_t dim = 0; dim < indices.rank(); ++dim)
    ofIndices.push_back(static_cast<int>(*axis + dim));
  Value source = e.value(data), size = e.extents.value(data.shape[*axis]);
  call.give(0, e.loop({indices}, {ofIndices}, shape, shape.size(), data.type, std::nullopt, [&](Scalars &s, ValueRange x) -> Value {
    SmallVector<Value> at;
    for (int64_t dim = 0; dim < data.rank(); ++dim)
      at.push_back(dim == *axis ? fromFront(s, x[0], size)
                                : Value(linalg::IndexOp::create(s.b, dim < *axis ? dim : dim + indices.rank() - 1)));
    return tensor::ExtractOp::create(s.b, source, at);
  }));
  return success();
}

static LogicalResult gatherElements(Call &call) {
  const Tensor &data = call.in(0), &indices = call.in(1);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", 0), data.rank());
  if (failed(axis) || failed(checkIndices(call, indices, data.shape[*axis])))
    return failure();
  if (indices.rank() != data.rank())
    return call.refuse("expected indices of " + Twine(data.rank()) + " dimensions, got " + Twine(indices.rank()));
  Emitter &e = call.e;
  Subscripts all;
  for (int64_t dim = 0; dim < data.rank(); ++dim) {
    all.push_back(static_cast<int>(dim));
    if (dim != *axis && failed(checkWithin(call, indices.shape[dim], data.shape[dim])))
      return failure();
  }
  Value source = e.value(data), size = e.extents.value(data.shape[*axis]);
  call.give(
      0, e.loop({indices}, {all}, indices.shape, indices.rank(), data.type, std::nullopt, [&](Scalars &s, ValueRange x) -> Value {
        SmallVector<Value> at;
        for (int64_t dim = 0; dim < data.rank(); ++dim)
          at.push_back(dim == *axis ? fromFront(s, x[0], size) : Value(linalg::IndexOp::create(s.b, dim)));
        return tensor::ExtractOp::create(s.b, source, at);
      }));
  return success();
}

LogicalResult onnx::checkWithin(Call &call, const Extent &part, const Extent &whole) {
  if (part == whole)
    return success();
  if (part.isConstant() && whole.isConstant())
    return call.expect(part.constant() <= whole.constant(),
                       "expected a size of at most " + Twine(whole.constant()) + ", got " + Twine(part.constant()));
  Emitter &e = call.e;
  e.require(Scalars(e.b).lessOrEqual(e.extents.value(part), e.extents.value(whole)), call.place() + ": a size is too large");
  return success();
}

LogicalResult onnx::checkTuples(Call &call, const Tensor &data, const Tensor &indices, int64_t batch) {
  if (indices.rank() < 1 || !indices.shape.back().isConstant() || indices.shape.back().constant() + batch > data.rank())
    return call.refuse("indices: expected tuples of at most " + Twine(data.rank() - batch) + " numbers, got " +
                       spelled(indices.shape));
  for (int64_t dim = 0, width = indices.shape.back().constant(); dim < width; ++dim) {
    Tensor column = call.e.sliceAxis(indices, indices.rank() - 1, dim, 1);
    if (failed(checkIndices(call, column, data.shape[batch + dim])))
      return failure();
  }
  return success();
}

static LogicalResult gatherND(Call &call) {
  const Tensor &data = call.in(0), &indices = call.in(1);
  int64_t batch = call.integer("batch_dims", 0);
  if (batch < 0 || batch >= std::min(indices.rank(), data.rank()))
    return call.refuse("attribute 'batch_dims': expected less than the ranks, got " + Twine(batch));
  if (failed(checkTuples(call, data, indices, batch)))
    return failure();
  Emitter &e = call.e;
  int64_t width = indices.shape.back().constant(), lead = indices.rank() - 1;
  Shape shape(indices.shape.begin(), indices.shape.end() - 1);
  shape.append(data.shape.begin() + batch + width, data.shape.end());
  Value source = e.value(data), tuples = e.value(indices);
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < width; ++dim)
    sizes.push_back(e.extents.value(data.shape[batch + dim]));
  call.give(0, e.generate(shape, data.type, [&](Scalars &s, ValueRange index) -> Value {
    SmallVector<Value> at(index.take_front(batch)), tuple(index.take_front(lead));
    for (int64_t dim = 0; dim < width; ++dim) {
      tuple.resize(lead);
      tuple.push_back(s.index(dim));
      at.push_back(fromFront(s, tensor::ExtractOp::create(s.b, tuples, tuple), sizes[dim]));
    }
    llvm::append_range(at, index.drop_front(lead));
    return tensor::ExtractOp::create(s.b, source, at);
  }));
  return success();
}

ArrayRef<Operator> onnx::gatherOperators() {
  static constexpr Operator operators[] = {
      {"Gather", gather, 2, 2}, {"GatherElements", gatherElements, 2, 2}, {"GatherND", gatherND, 2, 2}};
  return operators;
}
