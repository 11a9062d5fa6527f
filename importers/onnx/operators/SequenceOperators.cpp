// Sequences: lists of tensors while their elements and positions are known, else packed; see Compound.h.
#include "importers/onnx/Compound.h"
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Axes.h"
#include "importers/onnx/operators/Loops.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

/// The sequence that input 0 is; null after a refusal.
const Sequence *sequenceOf(Call &call) {
  const Sequence *sequence = call.in(0).sequence.get();
  if (!sequence)
    (void)call.refuse("expected a sequence, got " + kindOf(call.in(0)));
  return sequence;
}

LogicalResult giveList(Call &call, DataType type, std::vector<Tensor> list) {
  if (!countElements(call.e, list))
    return call.refuse(tooManyElements);
  call.give(0, asValue(Sequence{type, std::move(list), {}, {}, {}}));
  return success();
}

/// `sequence` packed, with as many columns of sizes as `ranks` say.
FailureOr<Sequence> pack(Call &call, const Sequence &sequence, Ranks ranks) {
  if (sequence.list && !countElements(call.e, *sequence.list))
    return call.refuse(tooManyElements);
  return packed(call.e, sequence, ranks);
}
FailureOr<Sequence> pack(Call &call, const Sequence &sequence) { return pack(call, sequence, formOf(call.in(0)).ranks); }

/// Input `index` as a position, which may count from the end, or `absent`; held to be less than `bound`.
FailureOr<Extent> positionOf(Call &call, size_t index, const Extent &length, const Extent &absent, const Extent &bound) {
  Extents &x = call.e.extents;
  Extent position = absent;
  if (call.has(index)) {
    const Tensor &given = call.in(index);
    bool isInteger = given.type == DataType::Int64 || given.type == DataType::Int32;
    if (!isInteger || !given.isStatic() || given.count() != 1)
      return call.refuse("position: expected one int64 or int32, got " + (given.isTensor() ? nameOf(given.type) : kindOf(given)) +
                         " " + spelled(given.shape));
    position = call.e.integers(given).front();
    position = x.ifNegative(position, x.add(position, length), position);
  }
  if (position.isConstant() && bound.isConstant()) {
    if (position.constant() < 0 || position.constant() >= bound.constant())
      return call.refuse("position: expected one of a sequence of " + Twine(length.constant()) + ", got " +
                         Twine(position.constant()));
    return position;
  }
  Scalars s(call.e.b);
  Value at = x.value(position);
  call.e.require(s.both(s.lessOrEqual(s.index(0), at), s.less(at, x.value(bound))),
                 call.place() + ": position: lies outside of the sequence");
  // Not below 0 from here on, which its own computation does not tell.
  return position.isConstant() ? position : x.of(at, true);
}

/// Where the scalars of the element at `position` begin.
Extent startOf(Emitter &e, const Sequence &sequence, const Extent &position) {
  if (position.is(0))
    return 0;
  Tensor before = e.sliceAxis(countsOf(e, sequence.shapes), 0, 0, position);
  return e.extents.of(Scalars(e.b).toIndex(scalarOf(e, e.sum(before, {0}))), true);
}

/// The sizes of the element at `position`.
Shape sizesAt(Emitter &e, const Sequence &sequence, const Extent &position) {
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

/// The element at `position`, whose scalars begin at `start`.
Tensor elementAt(Emitter &e, const Sequence &sequence, const Extent &position, const Extent &start) {
  Shape sizes = sizesAt(e, sequence, position);
  Tensor scalars = e.sliceAxis(sequence.scalars, 0, start, e.extents.product(sizes));
  return e.reshape(scalars, sizes);
}

/// Refuses where elements differ in how many dimensions they have, which types of tensors must say.
LogicalResult expectEqualRanks(Call &call, const Ranks &ranks) {
  if (ranks.kind == Ranks::Equal)
    return success();
  return call.refuse(ranks.kind == Ranks::AtMost ? "expected a sequence whose elements have the same number of dimensions"
                                                 : "expected a sequence of whose elements the number of dimensions is known");
}

//===- Making ---------------------------------------------------------------------------------------------------------------===//

LogicalResult sequenceEmpty(Call &call) {
  auto type = static_cast<DataType>(call.integer("dtype", static_cast<int64_t>(DataType::Float32)));
  if (!isKnown(type) || !call.e.elementType(type))
    return call.refuse("attribute 'dtype': sequences of " + nameOf(type) + " are not supported");
  return giveList(call, call.e.weights.seenAs(type), {});
}

LogicalResult sequenceConstruct(Call &call) {
  std::vector<Tensor> list;
  for (size_t index = 0; index < call.inputCount(); ++index) {
    if (!call.has(index) || call.in(index).type != call.in(0).type)
      return call.refuse("expected tensors of one type");
    list.push_back(call.in(index));
  }
  return giveList(call, call.in(0).type, std::move(list));
}

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

//===- Changing -------------------------------------------------------------------------------------------------------------===//

LogicalResult sequenceInsert(Call &call) {
  const Sequence *sequence = sequenceOf(call);
  if (!sequence)
    return failure();
  Emitter &e = call.e;
  Extents &x = e.extents;
  const Tensor &element = call.in(1);
  if (!element.isTensor() || element.type != sequence->type)
    return call.refuse("tensor: expected a tensor of " + nameOf(sequence->type) + ", got " +
                       (element.isTensor() ? nameOf(element.type) : kindOf(element)));
  Extent length = sequence->length();
  FailureOr<Extent> position = positionOf(call, 2, length, length, x.add(length, 1));
  if (failed(position))
    return failure();
  if (sequence->list && position->isConstant()) {
    std::vector<Tensor> list = *sequence->list;
    list.insert(list.begin() + position->constant(), element);
    return giveList(call, sequence->type, std::move(list));
  }
  Sequence one{element.type, std::vector<Tensor>{element}, {}, {}, {}};
  Ranks ranks = join(formOf(call.in(0)).ranks, Ranks{Ranks::Equal, element.rank()});
  FailureOr<Sequence> before = pack(call, *sequence, ranks), added = pack(call, one, ranks);
  if (failed(before) || failed(added))
    return failure();
  if (ranks.kind == Ranks::Unknown) { // as many columns as the longer one has
    Extent columns = x.maximum(before->shapes.shape[1], added->shapes.shape[1]);
    for (Sequence *each : {&*before, &*added})
      each->shapes = widened(e, each->shapes, columns);
  }
  auto spliced = [&](const Tensor &whole, const Extent &at, const Tensor &part) {
    if (at == whole.shape[0])
      return e.concat({whole, part}, 0);
    return e.concat({e.sliceAxis(whole, 0, 0, at), part, e.sliceAxis(whole, 0, at, x.subtract(whole.shape[0], at))}, 0);
  };
  Extent start = *position == length ? before->scalars.shape[0] : startOf(e, *before, *position);
  Sequence result{sequence->type, std::nullopt, spliced(before->scalars, start, added->scalars),
                  spliced(before->shapes, *position, added->shapes), ranks};
  call.give(0, asValue(std::move(result)));
  return success();
}

LogicalResult sequenceErase(Call &call) {
  const Sequence *sequence = sequenceOf(call);
  if (!sequence)
    return failure();
  Emitter &e = call.e;
  Extents &x = e.extents;
  Extent length = sequence->length();
  FailureOr<Extent> position = positionOf(call, 1, length, x.subtract(length, 1), length);
  if (failed(position))
    return failure();
  if (sequence->list && position->isConstant()) {
    std::vector<Tensor> list = *sequence->list;
    list.erase(list.begin() + position->constant());
    return giveList(call, sequence->type, std::move(list));
  }
  FailureOr<Sequence> before = pack(call, *sequence);
  if (failed(before))
    return failure();
  auto without = [&](const Tensor &whole, const Extent &at, const Extent &count) {
    Extent behind = x.add(at, count);
    Tensor rest = e.sliceAxis(whole, 0, behind, x.of(x.value(x.subtract(whole.shape[0], behind)), true));
    return e.concat({e.sliceAxis(whole, 0, 0, at), rest}, 0);
  };
  Extent start = startOf(e, *before, *position), end = startOf(e, *before, x.add(*position, 1));
  Sequence result{sequence->type, std::nullopt, without(before->scalars, start, x.of(x.value(x.subtract(end, start)), true)),
                  without(before->shapes, *position, 1), before->ranks};
  call.give(0, asValue(std::move(result)));
  return success();
}

//===- Reading --------------------------------------------------------------------------------------------------------------===//

LogicalResult sequenceLength(Call &call) {
  const Sequence *sequence = sequenceOf(call);
  if (!sequence)
    return failure();
  call.give(0, call.e.known({sequence->length()}, {}));
  return success();
}

LogicalResult sequenceAt(Call &call) {
  const Sequence *sequence = sequenceOf(call);
  if (!sequence)
    return failure();
  Extent length = sequence->length();
  FailureOr<Extent> position = positionOf(call, 1, length, 0, length);
  if (failed(position))
    return failure();
  if (sequence->list && position->isConstant()) {
    call.give(0, (*sequence->list)[position->constant()]);
    return success();
  }
  FailureOr<Sequence> elements = pack(call, *sequence);
  if (failed(elements) || failed(expectEqualRanks(call, elements->ranks)))
    return failure();
  call.give(0, elementAt(call.e, *elements, *position, startOf(call.e, *elements, *position)));
  return success();
}

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
    whole[axis] = x.of(s.toIndex(scalarOf(e, e.sum(along, {0, 1}))), true);
  }
  // Before anything of that size is made.
  for (auto [dim, size] : llvm::enumerate(first)) {
    if (!isNew && static_cast<int64_t>(dim) == axis)
      continue;
    Value expected = x.value(size);
    Tensor differ = e.reduce(e.sliceAxis(sequence.shapes, 1, dim, 1), {0, 1}, 0, [&](Scalars &s, ValueRange values) {
      return s.select(s.equal(s.toIndex(values[0]), expected), values[1], s.like(values[1], 1));
    });
    Value count = scalarOf(e, differ);
    e.require(s.equal(count, s.like(count, 0)), call.place() + ": sizes of elements differ");
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

ArrayRef<Operator> onnx::sequenceOperators() {
  static constexpr Operator operators[] = {{"SequenceEmpty", sequenceEmpty, 0, 0},
                                           {"SequenceConstruct", sequenceConstruct, 1, anyNumber},
                                           {"SplitToSequence", splitToSequence, 1, 2},
                                           {"SequenceInsert", sequenceInsert, 2, 3, 1, 1, 1000, true},
                                           {"SequenceErase", sequenceErase, 1, 2, 1, 1, 1000, true},
                                           {"SequenceLength", sequenceLength, 1, 1, 1, 1, 1000, true},
                                           {"SequenceAt", sequenceAt, 2, 2, 1, 1, 1000, true},
                                           {"ConcatFromSequence", concatFromSequence, 1, 1, 1, 1, 1000, true}};
  return operators;
}
