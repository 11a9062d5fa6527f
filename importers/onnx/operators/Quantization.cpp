// Quantised numbers in the standard's way: a scale and a zero point for a tensor, for each entry of an axis, or for blocks of it.
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// A scale or zero point, in a shape that broadcasts to the input's.
static FailureOr<Tensor> forInput(Call &call, const Tensor &parameter, const Tensor &input, int64_t axis, int64_t block) {
  Emitter &e = call.e;
  if (parameter.isStatic() && parameter.rank() <= 1 && parameter.count() == 1)
    return e.reshape(parameter, {});
  if (parameter.rank() == 1) {
    if (axis < 0 || axis >= input.rank())
      return call.refuse("attribute 'axis': expected an axis of " + Twine(input.rank()) + " dimensions, got " + Twine(axis));
    Shape shape(input.rank() - axis, Extent(1));
    shape[0] = parameter.shape[0];
    return e.reshape(parameter, shape);
  }
  if (parameter.rank() != input.rank() || axis < 0 || axis >= input.rank())
    return call.refuse("expected a scale of the input's rank, got " + spelled(parameter.shape) + " for " + spelled(input.shape));
  if (block < 1) {
    if (!input.shape[axis].isConstant() || !parameter.shape[axis].isConstant() || !parameter.shape[axis].constant())
      return call.refuse("attribute 'block_size': expected it to be given");
    block = llvm::divideCeil(input.shape[axis].constant(), parameter.shape[axis].constant());
  }
  for (int64_t dim = 0; dim < input.rank(); ++dim) {
    Extent expected = dim == axis ? e.extents.divide(e.extents.add(input.shape[dim], block - 1), block) : input.shape[dim];
    if (expected.isConstant() && parameter.shape[dim].isConstant() && expected != parameter.shape[dim])
      return call.refuse("expected a scale for each block of " + Twine(block) + ", got " + spelled(parameter.shape) + " for " +
                         spelled(input.shape));
    e.requireEqual(expected, parameter.shape[dim], call.place() + ": scales are not as many as blocks");
  }
  Value source = e.value(parameter);
  return e.generate(input.shape, parameter.type, [&](Scalars &s, ValueRange index) -> Value {
    SmallVector<Value> at(index);
    at[axis] = arith::DivUIOp::create(s.b, at[axis], s.index(block));
    return tensor::ExtractOp::create(s.b, source, at);
  });
}

/// The least and greatest integer of a type.
static std::pair<double, double> rangeOf(DataType type) {
  double span = std::exp2(bitsOf(type));
  return isUnsigned(type) ? std::pair(0.0, span - 1) : std::pair(-span / 2, span / 2 - 1);
}

/// round(value) + zero, within what the type holds.
static Value toInteger(Scalars &s, Value value, Value zero, DataType type) {
  auto [least, most] = rangeOf(type);
  Value whole = s.function<math::RoundEvenOp>(value);
  if (zero)
    whole = s.add(whole, zero);
  return s.convert(s.maximum(s.minimum(whole, s.like(whole, most)), s.like(whole, least)), DataType::Float32, type);
}

static LogicalResult quantizeLinear(Call &call) {
  Tensor input = call.in(0);
  Emitter &e = call.e;
  int64_t axis = call.integer("axis", 1), block = call.integer("block_size", 0);
  bool saturate = call.flag("saturate", true);
  call.leaveAside("precision");
  auto asked = static_cast<DataType>(call.integer("output_dtype", 0));
  DataType type = call.has(2) ? call.in(2).type : asked == DataType::Undefined ? DataType::UInt8 : asked;
  if (!isKnown(type) || !e.elementType(type) || (!isInteger(type) && !isFloat(type)))
    return call.refuse("attribute 'output_dtype': " + nameOf(type) + " is not supported");
  axis += axis < 0 ? input.rank() : 0;
  FailureOr<Tensor> scale = forInput(call, call.in(1), input, axis, block), zero;
  if (failed(scale) || (call.has(2) && failed(zero = forInput(call, call.in(2), input, axis, block))))
    return failure();
  SmallVector<Tensor, 2> inputs = {e.cast(input, DataType::Float32), e.cast(*scale, DataType::Float32)};
  if (call.has(2) && isInteger(type))
    inputs.push_back(e.cast(*zero, DataType::Float32));
  FailureOr<Shape> shape = call.broadcastShape(inputs);
  if (failed(shape))
    return failure();
  Tensor divided =
      e.map({inputs[0], inputs[1]}, *shape, DataType::Float32, [](Scalars &s, ValueRange x) { return s.divide(x[0], x[1]); });
  if (isFloat(type)) {
    call.give(0, e.cast(divided, type, saturate));
    return success();
  }
  inputs[0] = divided;
  inputs.erase(inputs.begin() + 1);
  call.give(0, e.map(inputs, *shape, type,
                     [&](Scalars &s, ValueRange x) { return toInteger(s, x[0], inputs.size() > 1 ? x[1] : Value(), type); }));
  return success();
}

static LogicalResult dequantizeLinear(Call &call) {
  const Tensor &input = call.in(0);
  Emitter &e = call.e;
  int64_t axis = call.integer("axis", 1), block = call.integer("block_size", 0);
  auto asked = static_cast<DataType>(call.integer("output_dtype", 0));
  DataType type = asked == DataType::Undefined ? call.in(1).type : asked;
  if (!isFloat(type))
    return call.refuse("attribute 'output_dtype': expected floats, got " + nameOf(type));
  axis += axis < 0 ? input.rank() : 0;
  FailureOr<Tensor> scale = forInput(call, call.in(1), input, axis, block), zero;
  if (failed(scale) || (call.has(2) && failed(zero = forInput(call, call.in(2), input, axis, block))))
    return failure();
  SmallVector<Tensor, 2> inputs = {e.cast(input, DataType::Float32), e.cast(*scale, DataType::Float32)};
  if (call.has(2))
    inputs.push_back(e.cast(*zero, DataType::Float32));
  return call.elementwise(
      inputs,
      [&](Scalars &s, ValueRange x) {
        Value number = s.multiply(inputs.size() > 2 ? s.subtract(x[0], x[2]) : x[0], x[1]);
        return s.convert(number, DataType::Float32, wide(type));
      },
      type);
}

static LogicalResult dynamicQuantizeLinear(Call &call) {
  const Tensor &input = call.in(0);
  Emitter &e = call.e;
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    axes.push_back(axis);
  // The range has 0 in it.
  Tensor least = e.reshape(e.reduce(input, axes, 0, [](Scalars &s, ValueRange x) { return s.minimum(x[1], x[0]); }), {});
  Tensor most = e.reshape(e.reduce(input, axes, 0, [](Scalars &s, ValueRange x) { return s.maximum(x[1], x[0]); }), {});
  Tensor scale = e.map({least, most}, {}, DataType::Float32,
                       [](Scalars &s, ValueRange x) { return s.divide(s.subtract(x[1], x[0]), s.like(x[0], 255)); });
  Tensor zero = e.map({least, scale}, {}, DataType::UInt8, [](Scalars &s, ValueRange x) {
    return toInteger(s, s.negate(s.divide(x[0], x[1])), Value(), DataType::UInt8);
  });
  Tensor offset = e.cast(zero, DataType::Float32);
  call.give(0, e.map({input, scale, offset}, input.shape, DataType::UInt8,
                     [](Scalars &s, ValueRange x) { return toInteger(s, s.divide(x[0], x[1]), x[2], DataType::UInt8); }));
  call.give(1, scale);
  call.give(2, zero);
  return success();
}

ArrayRef<Operator> onnx::quantizationOperators() {
  static constexpr Operator operators[] = {{"QuantizeLinear", quantizeLinear, 2, 3},
                                           {"DequantizeLinear", dequantizeLinear, 2, 3},
                                           {"DynamicQuantizeLinear", dynamicQuantizeLinear, 1, 1, 3}};
  return operators;
}
