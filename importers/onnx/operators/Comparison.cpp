// Comparisons, tests of numbers, and choices by them.
#include "importers/onnx/Compound.h"
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

template <bool isStrict, bool isSwapped> static LogicalResult order(Call &call) {
  if (failed(call.sameType(0, 1)))
    return failure();
  return call.elementwise(
      {call.in(0), call.in(1)},
      [](Scalars &s, ValueRange x) {
        Value a = x[isSwapped ? 1 : 0], b = x[isSwapped ? 0 : 1];
        return isStrict ? s.less(a, b) : s.lessOrEqual(a, b);
      },
      DataType::Bool);
}

/// Strings are equal whose bytes are, of which the shorter ones have zeros behind them.
static LogicalResult equalTexts(Call &call) {
  Emitter &e = call.e;
  Tensors padded;
  auto widthOf = [&](size_t index) { return call.in(index).text->shape.back(); };
  Extent width = e.extents.maximum(widthOf(0), widthOf(1));
  for (size_t index : {0, 1}) {
    const Tensor &bytes = *call.in(index).text;
    Shape behind = bytes.shape, all = bytes.shape;
    behind.back() = e.extents.subtract(width, bytes.shape.back());
    all.back() = width;
    padded.push_back(bytes);
    if (!behind.back().is(0)) {
      Tensor joined = e.concat({bytes, e.filled(behind, bytes.type, 0)}, bytes.rank() - 1);
      padded.back() = e.tensor(joined.value, bytes.type, all);
    }
  }
  FailureOr<Shape> shape = call.broadcastShape(padded);
  if (failed(shape))
    return failure();
  Tensor same = e.map(padded, *shape, DataType::Bool, [](Scalars &s, ValueRange x) { return s.equal(x[0], x[1]); });
  Tensor all = e.reduce(same, {same.rank() - 1}, 1, [](Scalars &s, ValueRange x) { return s.both(x[0], x[1]); });
  call.give(0, e.reshape(all, ArrayRef(*shape).drop_back()));
  return success();
}

static LogicalResult equal(Call &call) {
  if (call.in(0).text && call.in(1).text)
    return equalTexts(call);
  for (size_t index : {0, 1})
    if (!call.in(index).isTensor())
      return call.refuse("expected two tensors, or strings both, got " + kindOf(call.in(index)));
  if (failed(call.sameType(0, 1)))
    return failure();
  return call.elementwise({call.in(0), call.in(1)}, [](Scalars &s, ValueRange x) { return s.equal(x[0], x[1]); }, DataType::Bool);
}

static LogicalResult isNaN(Call &call) {
  return call.elementwise({call.in(0)}, [](Scalars &s, ValueRange x) { return s.isNaN(x[0]); }, DataType::Bool);
}

static LogicalResult isInf(Call &call) {
  bool negative = call.flag("detect_negative", true), positive = call.flag("detect_positive", true);
  return call.elementwise(
      {call.in(0)},
      [&](Scalars &s, ValueRange x) {
        Type type = x[0].getType();
        Value isLow = s.equal(x[0], s.infinity(type, true)), isHigh = s.equal(x[0], s.infinity(type, false));
        Value none = s.number(s.b.getI1Type(), 0);
        return s.either(negative ? isLow : none, positive ? isHigh : none);
      },
      DataType::Bool);
}

static LogicalResult where(Call &call) {
  if (failed(call.sameType(1, 2)))
    return failure();
  if (call.in(0).type != DataType::Bool)
    return call.refuse("expected a condition of type bool, got " + nameOf(call.in(0).type));
  return call.elementwise(
      {call.in(0), call.in(1), call.in(2)}, [](Scalars &s, ValueRange x) { return s.select(x[0], x[1], x[2]); }, call.in(1).type);
}

ArrayRef<Operator> onnx::comparisonOperators() {
  static constexpr Operator operators[] = {{"Less", order<true, false>, 2, 2},
                                           {"LessOrEqual", order<false, false>, 2, 2},
                                           {"Greater", order<true, true>, 2, 2},
                                           {"GreaterOrEqual", order<false, true>, 2, 2},
                                           {"Equal", equal, 2, 2, 1, 1, 1000, true},
                                           {"IsNaN", isNaN, 1, 1},
                                           {"IsInf", isInf, 1, 1},
                                           {"Where", where, 3, 3}};
  return operators;
}
