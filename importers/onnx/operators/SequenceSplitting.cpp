// Tensors split into sequences, and sequences concatenated.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Loops.h"
#include "importers/onnx/operators/SequenceElements.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

//===- Splitting ------------------------------------------------------------------------------------------------------------===//

/// Parts of `size` along an axis, the last of which may be smaller, where their number is known only when it runs or is large.
LogicalResult splitEvenly(Call &call, const Tensor &input, int64_t axis, const Extent &size, bool keepsAxis) {
  Emitter &e = call.e;
  Extents &x = e.extents;
  Extent whole = input.shape[axis], count = x.divide(x.add(whole, x.subtract(size, 1)), size);
  Extent outer = x.product(ArrayRef(input.shape).take_front(axis)), inner = x.product(ArrayRef(input.shape).drop_front(axis + 1));
  Value source = e.value(e.reshape(input, {outer, whole, inner}));
  Value wholeValue = x.value(whole), sizeValue = x.value(size), innerValue = x.value(inner),
        columns = x.value(x.product({outer, inner}));
  // The element's number, and where in it: [outer, its part of the axis, inner].
  Tensor scalars = e.generate({x.product(input.shape)}, input.type, [&](Scalars &s, ValueRange at) -> Value {
    auto divide = [&](Value a, Value b) -> Value { return arith::DivUIOp::create(s.b, a, b); };
    auto remainder = [&](Value a, Value b) -> Value { return arith::RemUIOp::create(s.b, a, b); };
    Value each = s.multiply(sizeValue, columns), part = divide(at[0], each), within = remainder(at[0], each);
    Value start = s.multiply(part, sizeValue), length = s.minimum(sizeValue, s.subtract(wholeValue, start));
    Value plane = s.multiply(length, innerValue), rest = remainder(within, plane);
    SmallVector<Value> indices = {divide(within, plane), s.add(start, divide(rest, innerValue)), remainder(rest, innerValue)};
    return tensor::ExtractOp::create(s.b, source, indices);
  });
  Shape sizes = input.shape;
  sizes[axis] = size;
  SmallVector<Value> known;
  for (const Extent &extent : sizes)
    known.push_back(x.value(extent));
  int64_t rank = input.rank() - (keepsAxis ? 0 : 1);
  Tensor shapes = e.generate({count, rank}, DataType::Int64, [&](Scalars &s, ValueRange at) -> Value {
    Value own = s.index(0);
    for (int64_t column = 0; column < rank; ++column) {
      int64_t dim = !keepsAxis && column >= axis ? column + 1 : column;
      Value extent = dim != axis ? known[dim] : s.minimum(sizeValue, s.subtract(wholeValue, s.multiply(at[0], sizeValue)));
      own = s.select(s.equal(at[1], s.index(column)), extent, own);
    }
    return arith::IndexCastOp::create(s.b, s.b.getI64Type(), own);
  });
  call.give(0, asValue(Sequence{input.type, std::nullopt, scalars, shapes, {Ranks::Equal, rank}}));
  return success();
}

LogicalResult splitToSequence(Call &call) {
  constexpr int64_t longest = 1024; // of a list
  Extents &x = call.e.extents;
  const Tensor &input = call.in(0);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", 0), input.rank());
  bool keepsAxis = call.flag("keepdims", true) || call.has(1);
  if (failed(axis))
    return failure();
  const Extent &whole = input.shape[*axis];
  SmallVector<Extent, 4> sizes;
  if (!call.has(1) || call.in(1).rank() == 0) {
    Extent size = 1;
    if (call.has(1) && !isInteger(call.in(1).type))
      return call.refuse("split: expected integers, got " + nameOf(call.in(1).type));
    if (call.has(1))
      size = call.e.integers(call.in(1)).front();
    if (size.isConstant() && size.constant() < 1)
      return call.refuse("split: expected a size of at least 1, got " + Twine(size.constant()));
    bool isList = size.isConstant() && whole.isConstant() && (whole.constant() - 1) / size.constant() < longest;
    if (!isList) {
      if (!size.isConstant()) {
        Scalars s(call.e.b);
        Value given = x.value(size);
        call.e.require(s.lessOrEqual(s.index(1), given), call.place() + ": split: expected a size of at least 1");
        size = x.of(s.maximum(given, s.index(1)), true);
      }
      size = x.minimum(size, x.maximum(whole, 1)); // so that nothing overflows
      return splitEvenly(call, input, *axis, size, keepsAxis);
    }
    for (int64_t start = 0; start < whole.constant(); start += size.constant())
      sizes.push_back(std::min(size.constant(), whole.constant() - start));
  } else {
    const Tensor &split = call.in(1);
    if (!isInteger(split.type) || split.rank() != 1 || !split.isStatic() || split.count() > longest)
      return call.refuse("split: expected at most " + Twine(longest) + " integers, their number known before it runs, got " +
                         nameOf(split.type) + " " + spelled(split.shape));
    sizes = call.e.integers(split);
  }
  std::vector<Tensor> list;
  Extent offset = 0;
  for (Extent &size : sizes) {
    if (size.isConstant() && size.constant() < 0)
      return call.refuse("split: expected sizes of at least 0, got " + Twine(size.constant()));
    if (!size.isConstant()) {
      Scalars s(call.e.b);
      Value given = x.value(size);
      call.e.require(s.both(s.lessOrEqual(s.index(0), given), s.lessOrEqual(given, x.value(whole))),
                     call.place() + ": split: expected sizes of at least 0 and at most the axis's");
      size = x.of(given, true);
    }
    list.push_back(call.e.sliceAxis(input, *axis, offset, size));
    offset = x.add(offset, size);
    if (!keepsAxis) {
      Shape shape = list.back().shape;
      shape.erase(shape.begin() + *axis);
      list.back() = call.e.reshape(list.back(), shape);
    }
  }
  if (offset != whole && offset.isConstant() && whole.isConstant())
    return call.refuse("split: expected sizes that add up to " + Twine(whole.constant()) + ", got " + Twine(offset.constant()));
  call.e.requireEqual(offset, whole, call.place() + ": sizes do not add up");
  return giveList(call, input.type, std::move(list));
}

//===- Concatenating --------------------------------------------------------------------------------------------------------===//

/// `element` with a dimension of size 1 at `axis`.
Tensor stacked(Emitter &e, const Tensor &element, int64_t axis) {
  Shape shape = element.shape;
  shape.insert(shape.begin() + axis, Extent(1));
  return e.reshape(element, shape);
}

/// Of elements whose number is known when it runs: each is put to its place. Beside the axis, all have the sizes of the first.
LogicalResult concatPacked(Call &call, const Sequence &sequence, int64_t axis, bool isNew) {
  Emitter &e = call.e;
  Extents &x = e.extents;
  Scalars s(e.b);
  Extent length = sequence.length();
  e.require(s.less(s.index(0), x.value(length)), call.place() + ": expected a sequence with elements, got an empty one");
  Shape first = sizesAt(e, sequence, 0), whole = first;
  if (isNew) {
    whole.insert(whole.begin() + axis, length);
  } else {
    Tensor along = e.sliceAxis(sequence.shapes, 1, axis, 1);
    whole[axis] = x.of(s.toIndex(e.scalar(e.sum(along, {0, 1}))), true);
  }
  // Before anything of that size is made.
  for (auto [dim, size] : llvm::enumerate(first)) {
    if (!isNew && static_cast<int64_t>(dim) == axis)
      continue;
    e.require(haveSize(e, sequence.shapes, static_cast<int64_t>(dim), x.value(size)), call.place() + ": sizes of elements differ");
  }
  Tensor none = e.known({0}, {}),
         result = e.tensor(tensor::EmptyOp::create(e.b, e.tensorType(whole, sequence.type), x.dynamicSizes(whole)), sequence.type,
                           whole);
  auto results = runLoop(
      call, x.value(length), Value(), {result, none, none}, [&](Value index, Value, ArrayRef<Tensor> inside) -> FailureOr<Turn> {
        // Where it goes, and where its scalars begin: to count them from the first one each time would be quadratic.
        Extent at = e.integers(inside[1]).front(), start = x.of(x.value(e.integers(inside[2]).front()), true);
        Tensor element = elementAt(e, sequence, x.of(index, true), start);
        Extent end = x.add(start, x.product(element.shape));
        // As what it is put into has them.
        for (auto [dim, size] : llvm::enumerate(element.shape))
          if (isNew || static_cast<int64_t>(dim) != axis)
            size = first[dim];
        element = e.tensor(element.value, element.type, element.shape);
        if (isNew)
          element = stacked(e, element, axis);
        SmallVector<OpFoldResult> offsets(whole.size(), e.b.getIndexAttr(0)), strides(whole.size(), e.b.getIndexAttr(1));
        offsets[axis] = x.size(at);
        Value next =
            tensor::InsertSliceOp::create(e.b, e.value(element), e.value(inside[0]), offsets, x.sizes(element.shape), strides);
        Turn turn;
        turn.carried = {e.tensor(next, sequence.type, inside[0].shape), e.known({x.add(at, element.shape[axis])}, {}),
                        e.known({end}, {})};
        return turn;
      });
  if (failed(results))
    return failure();
  call.give(0, e.tensor(results->front().value, sequence.type, whole));
  return success();
}

LogicalResult concatFromSequence(Call &call) {
  const Sequence *sequence = sequenceOf(call);
  if (!sequence)
    return failure();
  bool isNew = call.flag("new_axis");
  int64_t given = call.integer("axis", 0);
  Ranks ranks = formOf(call.in(0)).ranks;
  if (failed(expectEqualRanks(call, ranks)))
    return failure();
  FailureOr<int64_t> axis = call.axis(given, ranks.most + (isNew ? 1 : 0));
  if (failed(axis))
    return failure();
  if (!sequence->list)
    return concatPacked(call, *sequence, *axis, isNew);
  if (!countElements(call.e, *sequence->list))
    return call.refuse(tooManyElements);
  Tensors elements;
  const Shape &first = sequence->list->front().shape;
  for (const Tensor &element : *sequence->list) {
    for (auto [dim, size] : llvm::enumerate(element.shape)) {
      if ((!isNew && static_cast<int64_t>(dim) == *axis) || size == first[dim])
        continue;
      if (size.isConstant() && first[dim].isConstant())
        return call.refuse("expected sizes that agree, got " + spelled(first) + " and " + spelled(element.shape));
      call.e.requireEqual(size, first[dim], call.place() + ": sizes of elements differ");
    }
    elements.push_back(isNew ? stacked(call.e, element, *axis) : element);
  }
  call.give(0, call.e.concat(elements, *axis));
  return success();
}

} // namespace

ArrayRef<Operator> onnx::sequenceSplittingOperators() {
  static constexpr Operator operators[] = {{"SplitToSequence", splitToSequence, 1, 2},
                                           {"ConcatFromSequence", concatFromSequence, 1, 1, 1, 1, 1000, true}};
  return operators;
}
