// Softmax and norms.
#include "importers/onnx/operators/Normalization.h"
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

//===- Softmax --------------------------------------------------------------------------------------------------------------===//

Tensor onnx::softmax(Emitter &e, const Tensor &input, int64_t axis, bool isLogarithm) {
  DataType type = wide(input.type);
  Tensor largest = e.maximum(input, {axis});
  Tensor shifted = e.map({input, largest}, input.shape, type, [](Scalars &s, ValueRange x) { return s.subtract(x[0], x[1]); });
  Tensor powers = e.map({shifted}, input.shape, type, [](Scalars &s, ValueRange x) { return s.exponential(x[0]); });
  Tensor sum = e.sum(powers, {axis});
  return isLogarithm ? e.map({shifted, sum}, input.shape, input.type,
                             [](Scalars &s, ValueRange x) { return s.subtract(x[0], s.function<math::LogOp>(x[1])); })
                     : e.map({powers, sum}, input.shape, input.type, [](Scalars &s, ValueRange x) { return s.divide(x[0], x[1]); });
}

/// The first of the largest gets 1, all others 0.
static Tensor hardmax(Emitter &e, const Tensor &input, int64_t axis) {
  Tensor largest = e.maximum(input, {axis});
  Shape loops = input.shape;
  loops.push_back(input.shape[axis]);
  Subscripts other, own, best;
  for (int64_t dim = 0; dim < input.rank(); ++dim) {
    own.push_back(static_cast<int>(dim));
    other.push_back(static_cast<int>(dim == axis ? input.rank() : dim));
    best.push_back(dim == axis ? broadcast : static_cast<int>(dim));
  }
  DataType type = wide(input.type);
  Tensor first =
      e.loop({input, input, largest}, {own, other, best}, loops, input.rank(), DataType::Bool, 1, [&](Scalars &s, ValueRange x) {
        Scalars indices(s.b);
        Value mine = s.equal(s.convert(x[0], input.type, type), x[2]), its = s.equal(s.convert(x[1], input.type, type), x[2]);
        Value isEarlier = indices.less(linalg::IndexOp::create(s.b, input.rank()), linalg::IndexOp::create(s.b, axis));
        return s.both(x[3], s.both(mine, s.negation(s.both(its, isEarlier))));
      });
  return e.cast(first, input.type);
}

enum class SoftmaxForm { Plain, Logarithm, Hard };

template <SoftmaxForm form, bool isFlattened> static LogicalResult softmaxOperator(Call &call) {
  const Tensor &input = call.in(0);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", isFlattened ? 1 : -1), std::max<int64_t>(input.rank(), 1));
  if (failed(axis))
    return failure();
  Tensor data = input;
  if (isFlattened) { // all dimensions from the axis on are one
    ArrayRef<Extent> shape = input.shape;
    data =
        call.e.reshape(input, {call.e.extents.product(shape.take_front(*axis)), call.e.extents.product(shape.drop_front(*axis))});
    axis = 1;
  } else if (!input.rank()) {
    return call.refuse("expected at least one dimension");
  }
  Tensor result =
      form == SoftmaxForm::Hard ? hardmax(call.e, data, *axis) : softmax(call.e, data, *axis, form == SoftmaxForm::Logarithm);
  call.give(0, call.e.reshape(result, input.shape));
  return success();
}

//===- Norms ----------------------------------------------------------------------------------------------------------------===//

static Extent countOf(Emitter &e, const Tensor &input, ArrayRef<int64_t> axes) {
  Extent count = 1;
  for (int64_t axis : axes)
    count = e.extents.multiply(count, input.shape[axis]);
  return count;
}

Tensor onnx::mean(Emitter &e, const Tensor &input, ArrayRef<int64_t> axes) {
  Value count = arith::IndexCastOp::create(e.b, e.b.getI64Type(), e.extents.value(countOf(e, input, axes)));
  Tensor sum = e.sum(input, axes);
  return e.map({sum}, sum.shape, sum.type,
               [&](Scalars &s, ValueRange x) { return s.divide(x[0], s.convert(count, DataType::Int64, sum.type)); });
}

static Tensor square(Emitter &e, const Tensor &input) {
  return e.map({input}, input.shape, wide(input.type), [](Scalars &s, ValueRange x) { return s.multiply(x[0], x[0]); });
}

Tensor onnx::inverseRoot(Emitter &e, const Tensor &input, double epsilon) {
  return e.map({input}, input.shape, input.type, [&](Scalars &s, ValueRange x) {
    return s.divide(s.like(x[0], 1), s.function<math::SqrtOp>(s.add(x[0], s.like(x[0], epsilon))));
  });
}

Normalized onnx::normalize(Emitter &e, const Tensor &input, ArrayRef<int64_t> axes, double epsilon) {
  Normalized result;
  result.mean = mean(e, input, axes);
  Tensor centered =
      e.map({input, result.mean}, input.shape, wide(input.type), [](Scalars &s, ValueRange x) { return s.subtract(x[0], x[1]); });
  result.inverseDeviation = inverseRoot(e, mean(e, square(e, centered), axes), epsilon);
  result.value = e.map({centered, result.inverseDeviation}, input.shape, wide(input.type),
                       [](Scalars &s, ValueRange x) { return s.multiply(x[0], x[1]); });
  return result;
}

static SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  SmallVector<int64_t> axes;
  for (int64_t axis = first; axis < rank; ++axis)
    axes.push_back(axis);
  return axes;
}

/// value x scale + bias, as `type`.
static FailureOr<Tensor> scaled(Call &call, const Tensor &value, std::optional<Tensor> scale, std::optional<Tensor> bias,
                                DataType type) {
  SmallVector<Tensor, 2> inputs = {value};
  if (scale)
    inputs.push_back(*scale);
  if (bias)
    inputs.push_back(*bias);
  FailureOr<Shape> shape = call.broadcastShape(inputs);
  if (failed(shape) || *shape != value.shape)
    return call.refuse("scale and bias: expected shapes that broadcast to " + spelled(value.shape));
  return call.e.map(inputs, value.shape, type, [&](Scalars &s, ValueRange x) {
    DataType inner = wide(value.type);
    Value result = x[0];
    if (scale)
      result = s.multiply(result, s.convert(x[1], wide(scale->type), inner));
    if (bias)
      result = s.add(result, s.convert(x[scale ? 2 : 1], wide(bias->type), inner));
    return s.convert(result, inner, wide(type));
  });
}

static std::optional<Tensor> optional(Call &call, size_t index) {
  return call.has(index) ? std::optional<Tensor>(call.in(index)) : std::nullopt;
}

/// The weight that a vector of so many elements is; null where it is no weight.
static moe::WeightOp vectorOf(Emitter &e, const Tensor &vector, const Extent &width) {
  bool isVector =
      vector.rank() == 1 && vector.stored && vector.shape[0] == width && width.isConstant() && vector.type != DataType::Float64;
  return isVector ? e.weights.whole(*vector.stored) : moe::WeightOp();
}

/// The norm of what is left of rows without their mean, if its scale, and bias, are weights; nothing for anything else.
static std::optional<Tensor> layerNormRows(Call &call, const Tensor &input, const Tensor &scale, const std::optional<Tensor> &bias,
                                           double epsilon) {
  if (!input.rank() || input.type == DataType::Float64)
    return std::nullopt;
  Emitter &e = call.e;
  moe::WeightOp weight = vectorOf(e, scale, input.shape.back()), added;
  if (weight && bias)
    added = vectorOf(e, *bias, input.shape.back());
  if (!weight || (bias && !added))
    return std::nullopt;
  Value rows = e.rows(input, scale.shape[0].constant());
  auto read = [&](moe::WeightOp of) { return moe::GetWeightOp::create(e.b, of.getType(), of.getSymName()).getResult(); };
  Value scaling = read(weight), shift = added ? read(added) : Value();
  Value norm = moe::LayerNormOp::create(e.b, rows.getType(), rows, scaling, shift, e.b.getF64FloatAttr(epsilon));
  return e.fromRows(norm, input.shape, input.type);
}

static LogicalResult layerNormalization(Call &call) {
  const Tensor &input = call.in(0);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", -1), input.rank());
  double epsilon = call.number("epsilon", 1e-5f);
  call.leaveAside("stash_type");
  if (failed(axis))
    return failure();
  if (*axis == input.rank() - 1 && !call.wants(1) && !call.wants(2))
    if (std::optional<Tensor> norm = layerNormRows(call, input, call.in(1), optional(call, 2), epsilon)) {
      call.give(0, *norm);
      return success();
    }
  Normalized normal = normalize(call.e, input, axesFrom(*axis, input.rank()), epsilon);
  FailureOr<Tensor> result = scaled(call, normal.value, optional(call, 1), optional(call, 2), input.type);
  if (failed(result))
    return failure();
  call.give(0, *result);
  call.give(1, normal.mean);
  call.give(2, normal.inverseDeviation);
  return success();
}

std::optional<Tensor> onnx::rmsNormRows(Emitter &e, const Tensor &input, const Tensor &scale, double epsilon) {
  if (!input.rank() || input.type == DataType::Float64)
    return std::nullopt;
  moe::WeightOp weight = vectorOf(e, scale, input.shape.back());
  if (!weight)
    return std::nullopt;
  Value rows = e.rows(input, scale.shape[0].constant());
  Value stored = moe::GetWeightOp::create(e.b, weight.getType(), weight.getSymName());
  Value norm = moe::RMSNormOp::create(e.b, rows.getType(), rows, stored, e.b.getF64FloatAttr(epsilon), IntegerAttr());
  return e.fromRows(norm, input.shape, input.type);
}

FailureOr<Tensor> onnx::rmsNorm(Call &call, const Tensor &input, const Tensor &scale, int64_t axis, double epsilon,
                                Tensor *inverse) {
  if (axis == input.rank() - 1 && !inverse)
    if (std::optional<Tensor> result = rmsNormRows(call.e, input, scale, epsilon))
      return *result;
  Tensor factor = inverseRoot(call.e, mean(call.e, square(call.e, input), axesFrom(axis, input.rank())), epsilon);
  if (inverse)
    *inverse = factor;
  Tensor normal =
      call.e.map({input, factor}, input.shape, wide(input.type), [](Scalars &s, ValueRange x) { return s.multiply(x[0], x[1]); });
  return scaled(call, normal, scale, std::nullopt, input.type);
}

static LogicalResult rmsNormalization(Call &call) {
  const Tensor &input = call.in(0);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", -1), input.rank());
  double epsilon = call.number("epsilon", 1e-5f);
  call.leaveAside("stash_type");
  if (failed(axis))
    return failure();
  Tensor inverse;
  FailureOr<Tensor> result = rmsNorm(call, input, call.in(1), *axis, epsilon, call.wants(1) ? &inverse : nullptr);
  if (failed(result))
    return failure();
  call.give(0, *result);
  if (call.wants(1))
    call.give(1, inverse);
  return success();
}

/// The norm of a sum, which is an output too.
template <bool isRootMeanSquare> static LogicalResult skipNormalization(Call &call) {
  constexpr size_t biasIndex = isRootMeanSquare ? 3 : 4;
  double epsilon = call.number("epsilon", 1e-12f);
  SmallVector<Tensor, 2> inputs = {call.in(0), call.in(1)};
  if (call.has(biasIndex))
    inputs.push_back(call.in(biasIndex));
  if (failed(call.sameType(0, 1)))
    return failure();
  FailureOr<Shape> shape = call.broadcastShape(inputs);
  if (failed(shape))
    return failure();
  Tensor sum = call.e.map(inputs, *shape, call.in(0).type, [&](Scalars &s, ValueRange x) {
    Value result = s.add(x[0], x[1]);
    return call.has(biasIndex) ? s.add(result, x[2]) : result;
  });
  FailureOr<Tensor> result;
  if (isRootMeanSquare)
    result = rmsNorm(call, sum, call.in(2), sum.rank() - 1, epsilon, nullptr);
  else if (std::optional<Tensor> norm = layerNormRows(call, sum, call.in(2), optional(call, 3), epsilon))
    result = *norm;
  else
    result = scaled(call, normalize(call.e, sum, {sum.rank() - 1}, epsilon).value, call.in(2), optional(call, 3), sum.type);
  if (failed(result))
    return failure();
  if (call.wants(1) || call.wants(2))
    return call.refuse("the mean and the deviation are not supported as outputs");
  call.give(0, *result);
  call.give(3, sum);
  return success();
}

static LogicalResult lpNormalization(Call &call) {
  const Tensor &input = call.in(0);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", -1), input.rank());
  int64_t p = call.integer("p", 2);
  if (failed(axis))
    return failure();
  if (p != 1 && p != 2)
    return call.refuse("attribute 'p': expected 1 or 2, got " + Twine(p));
  Tensor norm = call.e.reduce(
      input, {*axis}, 0, [&](Scalars &s, ValueRange x) { return s.add(x[1], p == 1 ? s.absolute(x[0]) : s.multiply(x[0], x[0])); });
  return call.elementwise({input, norm}, [&](Scalars &s, ValueRange x) {
    Value length = p == 1 ? x[1] : s.function<math::SqrtOp>(x[1]), isZero = s.equal(length, s.like(length, 0));
    return s.select(isZero, s.like(x[0], 0), s.divide(x[0], length));
  });
}

/// Per channel: the second dimension of the input is the only one of scale, bias, mean and variance.
static Tensor perChannel(Emitter &e, const Tensor &vector, int64_t rank) {
  Shape shape(std::max<int64_t>(rank - 1, 1), Extent(1));
  shape[0] = vector.shape[0];
  return e.reshape(vector, shape);
}

static LogicalResult batchNormalization(Call &call) {
  const Tensor &input = call.in(0);
  double epsilon = call.number("epsilon", 1e-5f);
  call.leaveAside("momentum");
  call.leaveAside("spatial");
  if (call.flag("training_mode") || input.rank() < 2)
    return call.refuse("expected training_mode 0 and at least 2 dimensions");
  SmallVector<Tensor, 2> inputs = {input};
  for (size_t index : {1, 2, 3, 4}) {
    if (call.in(index).rank() != 1)
      return call.refuse("expected vectors of scale, bias, mean and variance");
    inputs.push_back(perChannel(call.e, call.in(index), input.rank()));
  }
  return call.elementwise(inputs, [&](Scalars &s, ValueRange x) {
    SmallVector<Value> of;
    for (size_t index = 0; index < 5; ++index)
      of.push_back(s.convert(x[index], wide(inputs[index].type), wide(input.type)));
    Value deviation = s.function<math::SqrtOp>(s.add(of[4], s.like(of[4], epsilon)));
    return s.add(s.divide(s.multiply(of[1], s.subtract(of[0], of[3])), deviation), of[2]);
  });
}

static LogicalResult groupNormalization(Call &call) {
  const Tensor &input = call.in(0);
  bool isInstance = call.type() == "InstanceNormalization";
  double epsilon = call.number("epsilon", 1e-5f);
  call.leaveAside("stash_type");
  if (input.rank() < 2 || call.in(1).rank() != 1 || call.in(2).rank() != 1)
    return call.refuse("expected at least 2 dimensions, and vectors of scale and bias");
  Emitter &e = call.e;
  int64_t groups = call.integer("num_groups", 0);
  if (!isInstance && groups < 1)
    return call.refuse("attribute 'num_groups': expected at least 1, got " + Twine(groups));
  Extent count = isInstance ? input.shape[1] : Extent(groups);
  Shape grouped = {input.shape[0], count, e.extents.divide(e.extents.product(ArrayRef<Extent>(input.shape).drop_front()), count)};
  Tensor normal = normalize(e, e.reshape(input, grouped), {2}, epsilon).value;
  bool perGroup = !isInstance && call.opset() < 21; // scale and bias are of groups
  auto factor = [&](const Tensor &vector) { return perChannel(e, vector, perGroup ? 3 : input.rank()); };
  if (!perGroup)
    normal = e.reshape(normal, input.shape);
  FailureOr<Tensor> result = scaled(call, normal, factor(call.in(1)), factor(call.in(2)), input.type);
  if (failed(result))
    return failure();
  call.give(0, e.reshape(*result, input.shape));
  return success();
}

static LogicalResult meanVarianceNormalization(Call &call) {
  const Tensor &input = call.in(0);
  std::vector<int64_t> given = call.integers("axes");
  SmallVector<Extent> values(given.begin(), given.end());
  if (!call.hasAttribute("axes"))
    values = {0, 2, 3};
  auto axes = call.axes(values, input.rank());
  if (failed(axes))
    return failure();
  call.give(0, call.e.cast(normalize(call.e, input, *axes, 1e-9).value, input.type));
  return success();
}

ArrayRef<Operator> onnx::normalizationOperators() {
  static constexpr Operator operators[] = {{"Softmax", softmaxOperator<SoftmaxForm::Plain, true>, 1, 1, 1, 1, 12},
                                           {"Softmax", softmaxOperator<SoftmaxForm::Plain, false>, 1, 1, 1, 13},
                                           {"LogSoftmax", softmaxOperator<SoftmaxForm::Logarithm, true>, 1, 1, 1, 1, 12},
                                           {"LogSoftmax", softmaxOperator<SoftmaxForm::Logarithm, false>, 1, 1, 1, 13},
                                           {"Hardmax", softmaxOperator<SoftmaxForm::Hard, true>, 1, 1, 1, 1, 12},
                                           {"Hardmax", softmaxOperator<SoftmaxForm::Hard, false>, 1, 1, 1, 13},
                                           {"LayerNormalization", layerNormalization, 2, 3, 3, 17},
                                           {"RMSNormalization", rmsNormalization, 2, 2, 1, 23},
                                           {"SimplifiedLayerNormalization", rmsNormalization, 2, 2, 2},
                                           {"LpNormalization", lpNormalization, 1, 1},
                                           {"BatchNormalization", batchNormalization, 5, 5},
                                           {"InstanceNormalization", groupNormalization, 3, 3},
                                           {"GroupNormalization", groupNormalization, 3, 3, 1, 18},
                                           {"MeanVarianceNormalization", meanVarianceNormalization, 1, 1}};
  return operators;
}

ArrayRef<Operator> onnx::skipNormalizationOperators() {
  static constexpr Operator operators[] = {{"SkipSimplifiedLayerNormalization", skipNormalization<true>, 3, 4, 4},
                                           {"SkipLayerNormalization", skipNormalization<false>, 3, 5, 4},
                                           {"SimplifiedLayerNormalization", rmsNormalization, 2, 2, 2}};
  return operators;
}
