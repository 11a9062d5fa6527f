// Sequences: lists of tensors while their elements and positions are known, else packed; see Compound.h.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/SequenceElements.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

/// `sequence` packed, with as many columns of sizes as `ranks` say.
FailureOr<Sequence> pack(Call &call, const Sequence &sequence, Ranks ranks) {
  if (sequence.list && !countElements(call.e, *sequence.list))
    return call.refuse(tooManyElements);
  return packed(call.e, sequence, ranks);
}
FailureOr<Sequence> pack(Call &call, const Sequence &sequence) { return pack(call, sequence, formOf(call.in(0)).ranks); }

/// Where in a sequence something is inserted, erased or read.
struct Place {
  const Sequence &sequence;
  Extent length, position;
  bool isOfList() const { return sequence.list && position.isConstant(); }
};

/// Input 0 as the sequence and input `index` as the position, which may count from the end, and be up to `behind` places behind
/// the last element. Where none is given it is the last that may be.
FailureOr<Place> placeOf(Call &call, size_t index, int64_t behind) {
  const Sequence *sequence = sequenceOf(call);
  if (!sequence)
    return failure();
  Extents &x = call.e.extents;
  Extent length = sequence->length(), bound = x.add(length, behind), position = x.add(length, behind - 1);
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
    return Place{*sequence, length, position};
  }
  Scalars s(call.e.b);
  Value at = x.value(position);
  call.e.require(s.both(s.lessOrEqual(s.index(0), at), s.less(at, x.value(bound))),
                 call.place() + ": position: lies outside of the sequence");
  // Not below 0 from here on, which its own computation does not tell.
  return Place{*sequence, length, position.isConstant() ? position : x.of(at, true)};
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

//===- Changing -------------------------------------------------------------------------------------------------------------===//

LogicalResult sequenceInsert(Call &call) {
  FailureOr<Place> place = placeOf(call, 2, 1);
  if (failed(place))
    return failure();
  auto &[sequence, length, position] = *place;
  Emitter &e = call.e;
  Extents &x = e.extents;
  const Tensor &element = call.in(1);
  if (!element.isTensor() || element.type != sequence.type)
    return call.refuse("tensor: expected a tensor of " + nameOf(sequence.type) + ", got " +
                       (element.isTensor() ? nameOf(element.type) : kindOf(element)));
  if (place->isOfList()) {
    std::vector<Tensor> list = *sequence.list;
    list.insert(list.begin() + position.constant(), element);
    return giveList(call, sequence.type, std::move(list));
  }
  Sequence one{element.type, std::vector<Tensor>{element}, {}, {}, {}};
  Ranks ranks = join(formOf(call.in(0)).ranks, Ranks{Ranks::Equal, element.rank()});
  FailureOr<Sequence> before = pack(call, sequence, ranks), added = pack(call, one, ranks);
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
  Extent start = position == length ? before->scalars.shape[0] : startOf(e, *before, position);
  Sequence result{sequence.type, std::nullopt, spliced(before->scalars, start, added->scalars),
                  spliced(before->shapes, position, added->shapes), ranks};
  call.give(0, asValue(std::move(result)));
  return success();
}

LogicalResult sequenceErase(Call &call) {
  FailureOr<Place> place = placeOf(call, 1, 0);
  if (failed(place))
    return failure();
  auto &[sequence, length, position] = *place;
  Emitter &e = call.e;
  Extents &x = e.extents;
  if (place->isOfList()) {
    std::vector<Tensor> list = *sequence.list;
    list.erase(list.begin() + position.constant());
    return giveList(call, sequence.type, std::move(list));
  }
  FailureOr<Sequence> before = pack(call, sequence);
  if (failed(before))
    return failure();
  auto without = [&](const Tensor &whole, const Extent &at, const Extent &count) {
    Extent behind = x.add(at, count);
    Tensor rest = e.sliceAxis(whole, 0, behind, x.of(x.value(x.subtract(whole.shape[0], behind)), true));
    return e.concat({e.sliceAxis(whole, 0, 0, at), rest}, 0);
  };
  Extent start = startOf(e, *before, position), end = startOf(e, *before, x.add(position, 1));
  Sequence result{sequence.type, std::nullopt, without(before->scalars, start, x.of(x.value(x.subtract(end, start)), true)),
                  without(before->shapes, position, 1), before->ranks};
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
  FailureOr<Place> place = placeOf(call, 1, 0);
  if (failed(place))
    return failure();
  auto &[sequence, length, position] = *place;
  if (place->isOfList()) {
    call.give(0, (*sequence.list)[position.constant()]);
    return success();
  }
  FailureOr<Sequence> elements = pack(call, sequence);
  if (failed(elements) || failed(expectEqualRanks(call, elements->ranks)))
    return failure();
  call.give(0, elementAt(call.e, *elements, position, startOf(call.e, *elements, position)));
  return success();
}

} // namespace

ArrayRef<Operator> onnx::sequenceOperators() {
  static constexpr Operator operators[] = {{"SequenceEmpty", sequenceEmpty, 0, 0},
                                           {"SequenceConstruct", sequenceConstruct, 1, anyNumber},
                                           {"SequenceInsert", sequenceInsert, 2, 3, 1, 1, 1000, true},
                                           {"SequenceErase", sequenceErase, 1, 2, 1, 1, 1000, true},
                                           {"SequenceLength", sequenceLength, 1, 1, 1, 1, 1000, true},
                                           {"SequenceAt", sequenceAt, 2, 2, 1, 1, 1000, true}};
  return operators;
}
