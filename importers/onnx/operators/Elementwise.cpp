// Functions of one element, and sums, products and the like of several tensors that broadcast.
#include "importers/onnx/Operators.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

//===- One operand ----------------------------------------------------------------------------------------------------------===//

namespace {
using Unary = Value (*)(Scalars &, Value);
} // namespace

template <Unary function> static LogicalResult unary(Call &call) {
  return call.elementwise({call.in(0)}, [](Scalars &s, ValueRange x) { return function(s, x[0]); });
}

template <typename Op> static Value apply(Scalars &s, Value x) { return s.function<Op>(x); }

/// Rounding leaves integers as they are.
template <typename Op> static Value round(Scalars &s, Value x) { return isa<FloatType>(x.getType()) ? s.function<Op>(x) : x; }

static Value reciprocal(Scalars &s, Value x) { return s.divide(s.like(x, 1), x); }
static Value relu(Scalars &s, Value x) { return s.maximum(x, s.like(x, 0)); }
static Value negate(Scalars &s, Value x) { return s.negate(x); }
static Value absolute(Scalars &s, Value x) { return s.absolute(x); }
static Value sigmoid(Scalars &s, Value x) { return s.sigmoid(x); }
static Value sign(Scalars &s, Value x) {
  Value zero = s.like(x, 0), one = s.like(x, 1);
  Value negative = s.isUnsigned ? zero : s.select(s.less(x, zero), s.like(x, -1), isa<FloatType>(x.getType()) ? x : zero);
  return s.select(s.less(zero, x), one, negative); // of NaN and zeros, themselves
}
/// log(1 + exp(x)), without overflow.
static Value softplus(Scalars &s, Value x) {
  Value magnitude = s.exponential(s.negate(s.absolute(x)));
  return s.add(s.maximum(x, s.like(x, 0)), s.function<math::Log1pOp>(magnitude));
}
static Value softsign(Scalars &s, Value x) { return s.divide(x, s.add(s.like(x, 1), s.absolute(x))); }
static Value mish(Scalars &s, Value x) { return s.multiply(x, s.function<math::TanhOp>(softplus(s, x))); }
static Value hardSwish(Scalars &s, Value x) {
  Value gate = s.add(s.multiply(x, s.like(x, 1.0 / 6)), s.like(x, 0.5));
  return s.multiply(x, s.maximum(s.minimum(gate, s.like(x, 1)), s.like(x, 0)));
}
static Value exactGelu(Scalars &s, Value x) {
  Value inner = s.add(s.like(x, 1), s.function<math::ErfOp>(s.multiply(x, s.like(x, 0.70710678118654752440))));
  return s.multiply(s.multiply(s.like(x, 0.5), x), inner);
}
static Value tanhGelu(Scalars &s, Value x) {
  Value cube = s.multiply(s.like(x, 0.044715), s.multiply(x, s.multiply(x, x)));
  Value inner = s.function<math::TanhOp>(s.multiply(s.like(x, 0.79788456080286535588), s.add(x, cube)));
  return s.multiply(s.multiply(s.like(x, 0.5), x), s.add(s.like(x, 1), inner));
}
static Value bitwiseNot(Scalars &s, Value x) { return s.negation(x); }

static LogicalResult gelu(Call &call) {
  StringRef form = call.text("approximate", "none");
  if (form == "tanh")
    return unary<tanhGelu>(call);
  return form == "none" ? unary<exactGelu>(call)
                        : call.refuse("attribute 'approximate': expected none or tanh, got '" + form + "'");
}

/// The functions that have numbers of their own, `alpha` and `beta`.
using Parametric = Value (*)(Scalars &, Value x, double alpha, double beta);
template <Parametric function>
static LogicalResult parametric(Call &call, const char *first, double absentFirst, const char *second = nullptr,
                                double absentSecond = 0) {
  double alpha = call.number(first, absentFirst), beta = second ? call.number(second, absentSecond) : 0;
  return call.elementwise({call.in(0)}, [&](Scalars &s, ValueRange x) { return function(s, x[0], alpha, beta); });
}

static Value scaledExp(Scalars &s, Value x, double alpha) { return s.multiply(s.like(x, alpha), s.function<math::ExpM1Op>(x)); }
static Value eluOf(Scalars &s, Value x, double alpha, double) {
  return s.select(s.less(x, s.like(x, 0)), scaledExp(s, x, alpha), x);
}
static Value seluOf(Scalars &s, Value x, double alpha, double gamma) {
  return s.multiply(s.like(x, gamma), s.select(s.lessOrEqual(x, s.like(x, 0)), scaledExp(s, x, alpha), x));
}
static Value celuOf(Scalars &s, Value x, double alpha, double) {
  Value zero = s.like(x, 0), least = s.minimum(zero, scaledExp(s, s.divide(x, s.like(x, alpha)), alpha));
  return s.add(s.maximum(zero, x), least);
}
static Value leakyReluOf(Scalars &s, Value x, double alpha, double) {
  return s.select(s.less(x, s.like(x, 0)), s.multiply(x, s.like(x, alpha)), x);
}
static Value thresholdedOf(Scalars &s, Value x, double alpha, double) {
  return s.select(s.less(s.like(x, alpha), x), x, s.like(x, 0));
}
static Value hardSigmoidOf(Scalars &s, Value x, double alpha, double beta) {
  Value line = s.add(s.multiply(x, s.like(x, alpha)), s.like(x, beta));
  return s.maximum(s.minimum(line, s.like(x, 1)), s.like(x, 0));
}
static Value swishOf(Scalars &s, Value x, double alpha, double) {
  return s.multiply(x, s.sigmoid(s.multiply(x, s.like(x, alpha))));
}
static Value shrinkOf(Scalars &s, Value x, double bias, double lambda) {
  Value zero = s.like(x, 0), low = s.select(s.less(x, s.like(x, -lambda)), s.add(x, s.like(x, bias)), zero);
  return s.select(s.less(s.like(x, lambda), x), s.subtract(x, s.like(x, bias)), low);
}
static LogicalResult elu(Call &call) { return parametric<eluOf>(call, "alpha", 1); }
static LogicalResult selu(Call &call) {
  return parametric<seluOf>(call, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875);
}
static LogicalResult celu(Call &call) { return parametric<celuOf>(call, "alpha", 1); }
static LogicalResult leakyRelu(Call &call) { return parametric<leakyReluOf>(call, "alpha", 0.01f); }
static LogicalResult thresholdedRelu(Call &call) { return parametric<thresholdedOf>(call, "alpha", 1); }
static LogicalResult hardSigmoid(Call &call) { return parametric<hardSigmoidOf>(call, "alpha", 0.2f, "beta", 0.5); }
static LogicalResult swish(Call &call) { return parametric<swishOf>(call, "alpha", 1); }
static LogicalResult quickGelu(Call &call) { return parametric<swishOf>(call, "alpha", 1.702f); }
static LogicalResult shrink(Call &call) { return parametric<shrinkOf>(call, "bias", 0, "lambd", 0.5); }

//===- Several operands -----------------------------------------------------------------------------------------------------===//

namespace {
using Binary = Value (*)(Scalars &, Value, Value);
} // namespace

template <Binary function> static LogicalResult binary(Call &call) {
  if (failed(call.sameType(0, 1)))
    return failure();
  return call.elementwise({call.in(0), call.in(1)}, [](Scalars &s, ValueRange x) { return function(s, x[0], x[1]); });
}
static Value add(Scalars &s, Value x, Value y) { return s.add(x, y); }
static Value subtract(Scalars &s, Value x, Value y) { return s.subtract(x, y); }
static Value multiply(Scalars &s, Value x, Value y) { return s.multiply(x, y); }
static Value divide(Scalars &s, Value x, Value y) { return s.divide(x, y); }
static Value maximum(Scalars &s, Value x, Value y) { return s.maximum(x, y); }
static Value minimum(Scalars &s, Value x, Value y) { return s.minimum(x, y); }
static Value bitAnd(Scalars &s, Value x, Value y) { return s.both(x, y); }
static Value bitOr(Scalars &s, Value x, Value y) { return s.either(x, y); }
static Value bitXor(Scalars &s, Value x, Value y) { return arith::XOrIOp::create(s.b, x, y); }
static Value prelu(Scalars &s, Value x, Value slope) { return s.select(s.less(x, s.like(x, 0)), s.multiply(x, slope), x); }

static LogicalResult mod(Call &call) {
  if (failed(call.sameType(0, 1)))
    return failure();
  bool likeC = call.flag("fmod");
  return call.elementwise({call.in(0), call.in(1)}, [&](Scalars &s, ValueRange x) {
    Value rest = s.remainder(x[0], x[1]);
    if (likeC || s.isUnsigned)
      return rest;
    // Python's has the sign of the divisor.
    Value zero = s.like(rest, 0), differs = arith::XOrIOp::create(s.b, s.less(rest, zero), s.less(x[1], zero));
    return s.select(s.both(differs, s.negation(s.equal(rest, zero))), s.add(rest, x[1]), rest);
  });
}

static LogicalResult power(Call &call) {
  DataType base = call.in(0).type, exponent = call.in(1).type;
  return call.elementwise({call.in(0), call.in(1)}, [&](Scalars &s, ValueRange x) {
    if (wide(exponent) == wide(base))
      return s.power(x[0], x[1]);
    if (isFloat(base))
      return s.power(x[0], s.convert(x[1], wide(exponent), wide(base)));
    Value wider = s.power(s.convert(x[0], base, DataType::Float64), s.convert(x[1], wide(exponent), DataType::Float64));
    return s.convert(wider, DataType::Float64, base);
  });
}

static LogicalResult bitShift(Call &call) {
  StringRef direction = call.text("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return call.refuse("attribute 'direction': expected LEFT or RIGHT, got '" + direction + "'");
  return call.elementwise({call.in(0), call.in(1)}, [&](Scalars &s, ValueRange x) -> Value {
    // A shift by the width or more, negative ones among them, leaves nothing but the sign.
    unsigned width = x[1].getType().getIntOrFloatBitWidth();
    Value isFar = arith::CmpIOp::create(s.b, arith::CmpIPredicate::ugt, x[1], s.like(x[1], width - 1));
    Value by = s.select(isFar, s.like(x[1], width - 1), x[1]);
    if (direction == "RIGHT" && !s.isUnsigned)
      return arith::ShRSIOp::create(s.b, x[0], by);
    Value shifted =
        direction == "LEFT" ? Value(arith::ShLIOp::create(s.b, x[0], by)) : Value(arith::ShRUIOp::create(s.b, x[0], by));
    return s.select(isFar, s.like(shifted, 0), shifted);
  });
}

/// Of any number of tensors.
template <Binary function, bool isMean = false> static LogicalResult variadic(Call &call) {
  SmallVector<Tensor, 2> inputs;
  for (size_t index = 0; index < call.inputCount(); ++index) {
    if (!call.has(index) || failed(call.sameType(0, index)))
      return call.refuse("expected inputs of one type");
    inputs.push_back(call.in(index));
  }
  return call.elementwise(inputs, [&](Scalars &s, ValueRange x) {
    Value result = x[0];
    for (Value next : x.take_front(inputs.size()).drop_front())
      result = function(s, result, next);
    return isMean ? s.divide(result, s.like(result, inputs.size())) : result;
  });
}

static LogicalResult clip(Call &call) {
  const Tensor &input = call.in(0);
  if (call.hasAttribute("min") || call.hasAttribute("max")) {
    double least = call.number("min", -std::numeric_limits<float>::max()),
           most = call.number("max", std::numeric_limits<float>::max());
    return call.elementwise(
        {input}, [&](Scalars &s, ValueRange x) { return s.minimum(s.maximum(x[0], s.like(x[0], least)), s.like(x[0], most)); });
  }
  SmallVector<Tensor, 2> inputs = {input};
  for (size_t index : {1, 2})
    if (call.has(index)) {
      if (call.in(index).type != input.type || !call.in(index).isStatic() || call.in(index).count() != 1)
        return call.refuse("expected bounds that are scalars of the input's type");
      inputs.push_back(call.e.reshape(call.in(index), {}));
    }
  return call.elementwise(inputs, [&](Scalars &s, ValueRange x) {
    Value result = call.has(1) ? s.maximum(x[0], x[1]) : x[0];
    return call.has(2) ? s.minimum(result, x[call.has(1) ? 2 : 1]) : result;
  });
}

static LogicalResult swiglu(Call &call) {
  if (failed(call.sameType(0, 1)))
    return failure();
  double alpha = call.number("alpha", 1);
  return call.elementwise({call.in(0), call.in(1)},
                          [&](Scalars &s, ValueRange x) { return s.multiply(swishOf(s, x[0], alpha, 0), x[1]); });
}

/// An activation of an input to which a bias may be added first.
template <Unary function> static LogicalResult biased(Call &call) {
  SmallVector<Tensor, 2> inputs = {call.in(0)};
  if (call.has(1))
    inputs.push_back(call.in(1));
  return call.elementwise(inputs, [&](Scalars &s, ValueRange x) { return function(s, call.has(1) ? s.add(x[0], x[1]) : x[0]); });
}

ArrayRef<Operator> onnx::biasedActivationOperators() {
  static constexpr Operator operators[] = {{"FastGelu", biased<tanhGelu>, 1, 2},
                                           {"BiasGelu", biased<exactGelu>, 2, 2},
                                           {"Gelu", biased<exactGelu>, 1, 1},
                                           {"QuickGelu", quickGelu, 1, 1}};
  return operators;
}

ArrayRef<Operator> onnx::elementwiseOperators() {
  static constexpr Operator operators[] = {{"Abs", unary<absolute>, 1, 1},
                                           {"Neg", unary<negate>, 1, 1},
                                           {"Sign", unary<sign>, 1, 1},
                                           {"Ceil", unary<round<math::CeilOp>>, 1, 1},
                                           {"Floor", unary<round<math::FloorOp>>, 1, 1},
                                           {"Round", unary<round<math::RoundEvenOp>>, 1, 1},
                                           {"Sqrt", unary<apply<math::SqrtOp>>, 1, 1},
                                           {"Exp", unary<apply<math::ExpOp>>, 1, 1},
                                           {"Log", unary<apply<math::LogOp>>, 1, 1},
                                           {"Erf", unary<apply<math::ErfOp>>, 1, 1},
                                           {"Sin", unary<apply<math::SinOp>>, 1, 1},
                                           {"Cos", unary<apply<math::CosOp>>, 1, 1},
                                           {"Tan", unary<apply<math::TanOp>>, 1, 1},
                                           {"Asin", unary<apply<math::AsinOp>>, 1, 1},
                                           {"Acos", unary<apply<math::AcosOp>>, 1, 1},
                                           {"Atan", unary<apply<math::AtanOp>>, 1, 1},
                                           {"Sinh", unary<apply<math::SinhOp>>, 1, 1},
                                           {"Cosh", unary<apply<math::CoshOp>>, 1, 1},
                                           {"Tanh", unary<apply<math::TanhOp>>, 1, 1},
                                           {"Asinh", unary<apply<math::AsinhOp>>, 1, 1},
                                           {"Acosh", unary<apply<math::AcoshOp>>, 1, 1},
                                           {"Atanh", unary<apply<math::AtanhOp>>, 1, 1},
                                           {"Reciprocal", unary<reciprocal>, 1, 1},
                                           {"Relu", unary<relu>, 1, 1},
                                           {"Sigmoid", unary<sigmoid>, 1, 1},
                                           {"Softplus", unary<softplus>, 1, 1},
                                           {"Softsign", unary<softsign>, 1, 1},
                                           {"Mish", unary<mish>, 1, 1},
                                           {"HardSwish", unary<hardSwish>, 1, 1},
                                           {"BitwiseNot", unary<bitwiseNot>, 1, 1},
                                           {"Not", unary<bitwiseNot>, 1, 1},
                                           {"Gelu", gelu, 1, 1},
                                           {"Elu", elu, 1, 1},
                                           {"Selu", selu, 1, 1},
                                           {"Celu", celu, 1, 1},
                                           {"LeakyRelu", leakyRelu, 1, 1},
                                           {"ThresholdedRelu", thresholdedRelu, 1, 1},
                                           {"HardSigmoid", hardSigmoid, 1, 1},
                                           {"Swish", swish, 1, 1, 1, 24},
                                           {"Shrink", shrink, 1, 1},
                                           {"Add", binary<add>, 2, 2},
                                           {"Sub", binary<subtract>, 2, 2},
                                           {"Mul", binary<multiply>, 2, 2},
                                           {"Div", binary<divide>, 2, 2},
                                           {"And", binary<bitAnd>, 2, 2},
                                           {"Or", binary<bitOr>, 2, 2},
                                           {"Xor", binary<bitXor>, 2, 2},
                                           {"BitwiseAnd", binary<bitAnd>, 2, 2},
                                           {"BitwiseOr", binary<bitOr>, 2, 2},
                                           {"BitwiseXor", binary<bitXor>, 2, 2},
                                           {"PRelu", binary<prelu>, 2, 2},
                                           {"Mod", mod, 2, 2},
                                           {"Pow", power, 2, 2},
                                           {"BitShift", bitShift, 2, 2},
                                           {"Max", variadic<maximum>, 1, anyNumber},
                                           {"Min", variadic<minimum>, 1, anyNumber},
                                           {"Sum", variadic<add>, 1, anyNumber},
                                           {"Mean", variadic<add, true>, 1, anyNumber},
                                           {"Clip", clip, 1, 3},
                                           {"SwiGLU", swiglu, 2, 2, 1, 28}};
  return operators;
}
