// Comparisons, tests of numbers, and choices by them.
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

static LogicalResult equal(Call &call) {
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
                                           {"Equal", equal, 2, 2},
                                           {"IsNaN", isNaN, 1, 1},
                                           {"IsInf", isInf, 1, 1},
                                           {"Where", where, 3, 3}};
  return operators;
}
