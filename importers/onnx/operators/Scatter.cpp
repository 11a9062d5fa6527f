// Elements and slices written by index, one after the other, so that of two to one place the later counts.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Indices.h"
#include "importers/onnx/operators/Sequence.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

Tensor onnx::inSequence(Emitter &e, const Tensor &start, ArrayRef<Extent> loops, SequenceFunction step) {
  // Loops within loops, each handing on the tensor.
  SmallVector<scf::ForOp> opened;
  SmallVector<Value> indices;
  Value current = e.value(start), zero = e.extents.value(0), one = e.extents.value(1);
  SmallVector<Value> ends;
  for (const Extent &loop : loops)
    ends.push_back(e.extents.value(loop));
  OpBuilder::InsertionGuard guard(e.b);
  Extents::Region region(e.extents);
  for (Value end : ends) {
    auto loop = scf::ForOp::create(e.b, zero, end, one, current);
    e.b.setInsertionPointToStart(loop.getBody());
    current = loop.getRegionIterArg(0);
    indices.push_back(loop.getInductionVar());
    opened.push_back(loop);
  }
  Scalars s(e.b);
  current = step(s, indices, current);
  for (scf::ForOp loop : llvm::reverse(opened)) {
    e.b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(e.b, current);
    current = loop.getResult(0);
  }
  Tensor result = start;
  result.stored = nullptr;
  result.elements.reset();
  result.value = current;
  return result;
}

/// How a new element joins the one that is there.
static FailureOr<Value (*)(Scalars &, Value, Value)> reductionOf(Call &call) {
  using Function = Value (*)(Scalars &, Value, Value);
  StringRef name = call.text("reduction", "none");
  if (name == "none")
    return Function([](Scalars &, Value, Value update) { return update; });
  if (name == "add")
    return Function([](Scalars &s, Value old, Value update) { return s.add(old, update); });
  if (name == "mul")
    return Function([](Scalars &s, Value old, Value update) { return s.multiply(old, update); });
  if (name == "max")
    return Function([](Scalars &s, Value old, Value update) { return s.maximum(old, update); });
  if (name == "min")
    return Function([](Scalars &s, Value old, Value update) { return s.minimum(old, update); });
  return call.refuse("attribute 'reduction': expected none, add, mul, max or min, got '" + name + "'");
}

static LogicalResult scatterElements(Call &call) {
  const Tensor &data = call.in(0), &indices = call.in(1), &updates = call.in(2);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", 0), data.rank());
  auto combine = reductionOf(call);
  if (failed(axis) || failed(combine) || failed(call.sameType(0, 2)) || failed(checkIndices(call, indices, data.shape[*axis])))
    return failure();
  if (indices.rank() != data.rank() || updates.rank() != data.rank())
    return call.refuse("expected indices and updates of " + Twine(data.rank()) + " dimensions");
  for (int64_t dim = 0; dim < data.rank(); ++dim)
    if (failed(checkWithin(call, indices.shape[dim], updates.shape[dim])) ||
        (dim != *axis && failed(checkWithin(call, indices.shape[dim], data.shape[dim]))))
      return failure();
  Emitter &e = call.e;
  Value places = e.value(indices), sources = e.value(updates), size = e.extents.value(data.shape[*axis]);
  call.give(0, inSequence(e, data, indices.shape, [&](Scalars &s, ValueRange at, Value current) -> Value {
              Scalars elements(s.b, isUnsigned(data.type));
              SmallVector<Value> place(at);
              place[*axis] = fromFront(s, tensor::ExtractOp::create(s.b, places, at), size);
              Value update = tensor::ExtractOp::create(s.b, sources, at), old = tensor::ExtractOp::create(s.b, current, place);
              return tensor::InsertOp::create(s.b, (*combine)(elements, old, update), current, place);
            }));
  return success();
}

static LogicalResult scatterND(Call &call) {
  const Tensor &data = call.in(0), &indices = call.in(1), &updates = call.in(2);
  auto combine = reductionOf(call);
  if (failed(combine) || failed(call.sameType(0, 2)) || failed(checkTuples(call, data, indices, 0)))
    return failure();
  int64_t width = indices.shape.back().constant(), lead = indices.rank() - 1;
  if (updates.rank() != lead + data.rank() - width)
    return call.refuse("updates: expected " + Twine(lead + data.rank() - width) + " dimensions, got " + Twine(updates.rank()));
  for (int64_t dim = 0; dim < updates.rank(); ++dim) {
    const Extent &other = dim < lead ? indices.shape[dim] : data.shape[dim - lead + width];
    if (updates.shape[dim].isConstant() && other.isConstant() && updates.shape[dim] != other)
      return call.refuse("updates: expected a size of " + Twine(other.constant()) + ", got " +
                         Twine(updates.shape[dim].constant()));
    call.e.requireEqual(updates.shape[dim], other, call.place() + ": updates are not as many as places");
  }
  Emitter &e = call.e;
  Value tuples = e.value(indices), sources = e.value(updates);
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < width; ++dim)
    sizes.push_back(e.extents.value(data.shape[dim]));
  call.give(0, inSequence(e, data, updates.shape, [&](Scalars &s, ValueRange at, Value current) -> Value {
              Scalars elements(s.b, isUnsigned(data.type));
              SmallVector<Value> place, tuple(at.take_front(lead));
              for (int64_t dim = 0; dim < width; ++dim) {
                tuple.resize(lead);
                tuple.push_back(s.index(dim));
                place.push_back(fromFront(s, tensor::ExtractOp::create(s.b, tuples, tuple), sizes[dim]));
              }
              llvm::append_range(place, at.drop_front(lead));
              Value update = tensor::ExtractOp::create(s.b, sources, at), old = tensor::ExtractOp::create(s.b, current, place);
              return tensor::InsertOp::create(s.b, (*combine)(elements, old, update), current, place);
            }));
  return success();
}

/// New rows into a cache, each sequence's from its own position on.
static LogicalResult tensorScatter(Call &call) {
  const Tensor &past = call.in(0), &update = call.in(1);
  StringRef mode = call.text("mode", "linear");
  FailureOr<int64_t> axis = call.axis(call.integer("axis", -2), past.rank());
  if (failed(axis) || failed(call.sameType(0, 1)))
    return failure();
  if (*axis == 0 || update.rank() != past.rank() || (mode != "linear" && mode != "circular"))
    return call.refuse("expected an update like the cache, an axis after the first, and mode linear or circular");
  Emitter &e = call.e;
  for (int64_t dim = 0; dim < past.rank(); ++dim)
    if (failed(checkWithin(call, update.shape[dim], past.shape[dim])))
      return failure();
  Value starts, sources = e.value(update), size = e.extents.value(past.shape[*axis]);
  if (call.has(2)) {
    const Tensor &positions = call.in(2);
    if (positions.rank() != 1 || !isInteger(positions.type))
      return call.refuse("write_indices: expected a vector of integers");
    if (failed(checkWithin(call, update.shape[0], positions.shape[0])))
      return failure();
    if (mode == "linear") {
      Value room = arith::IndexCastOp::create(e.b, e.elementType(positions.type),
                                              e.extents.value(e.extents.subtract(past.shape[*axis], update.shape[*axis])));
      Tensor isRight = e.loop({positions}, {{0}}, positions.shape, 0, DataType::Bool, 1, [&](Scalars &s, ValueRange x) {
        return s.both(x[1], s.both(s.lessOrEqual(s.like(x[0], 0), x[0]), s.lessOrEqual(x[0], room)));
      });
      e.require(e.scalar(isRight), call.place() + ": rows go past the end of the cache");
    }
    starts = e.value(positions);
  }
  call.give(0, inSequence(e, past, update.shape, [&](Scalars &s, ValueRange at, Value current) -> Value {
              SmallVector<Value> place(at);
              if (starts)
                place[*axis] = s.add(place[*axis], s.toIndex(tensor::ExtractOp::create(s.b, starts, at.front())));
              if (mode == "circular")
                place[*axis] = s.remainder(s.add(s.remainder(place[*axis], size), size), size);
              return tensor::InsertOp::create(s.b, tensor::ExtractOp::create(s.b, sources, at), current, place);
            }));
  return success();
}

ArrayRef<Operator> onnx::scatterOperators() {
  static constexpr Operator operators[] = {{"ScatterElements", scatterElements, 3, 3},
                                           {"Scatter", scatterElements, 3, 3, 1, 9, 10},
                                           {"ScatterND", scatterND, 3, 3},
                                           {"TensorScatter", tensorScatter, 2, 3, 1, 24}};
  return operators;
}
