// Functions of numbers, and the activations made of them.
#include "lowering/kernel/Functions.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

template <typename MathOp> static Number apply(Number x) { return {*x.builder, MathOp::create(*x.builder, x.value)}; }

Number moec::lowering::exponential(Number x) { return apply<math::ExpOp>(x); }
Number moec::lowering::hyperbolicTangent(Number x) { return apply<math::TanhOp>(x); }
Number moec::lowering::squareRoot(Number x) { return apply<math::SqrtOp>(x); }

Number moec::lowering::sigmoid(Number x) {
  Number one = x.like(1.0);
  return one / (one + exponential(-x));
}

Number moec::lowering::softplus(Number x) {
  // max(x, 0) + ln(1 + exp(-|x|)): the exponential never overflows.
  Number zero = x.like(0.0);
  return maximum(x, zero) + apply<math::Log1pOp>(exponential(minimum(x, -x)));
}

Number moec::lowering::firstVisible(moe::AttentionOp op, Number position) {
  if (op.getWindow())
    return maximum(position - (int64_t(*op.getWindow()) - 1), position.like(int64_t(0)));
  if (op.getChunk())
    return position - position % int64_t(*op.getChunk());
  return position.like(int64_t(0));
}

static Number nonlinear(moe::ActivationKind kind, double alpha, Number gate) {
  Number half = gate.like(0.5), one = gate.like(1.0);
  switch (kind) {
  case moe::ActivationKind::SiLU:
    return gate / (one + exponential(gate.like(-alpha) * gate));
  case moe::ActivationKind::GELU:
    return half * gate * (one + apply<math::ErfOp>(gate * gate.like(std::numbers::sqrt2 / 2)));
  case moe::ActivationKind::GELUTanh: {
    Number cubic = fma(gate.like(0.044715) * gate * gate, gate, gate);
    return half * gate * (one + hyperbolicTangent(gate.like(std::sqrt(2 / std::numbers::pi)) * cubic));
  }
  case moe::ActivationKind::ReLU:
    return maximum(gate.like(0.0), gate);
  case moe::ActivationKind::Identity:
    return gate;
  }
  llvm_unreachable("all kinds are listed");
}

Number moec::lowering::activate(moe::ActivationAttr activation, Number gate, Number up) {
  // Bounds come first: of a number that is none, minimum and maximum give the second.
  if (activation.getGateMax())
    gate = minimum(gate.like(double(*activation.getGateMax())), gate);
  if (activation.getUpLimit()) {
    double limit = *activation.getUpLimit();
    up = maximum(up.like(-limit), minimum(up.like(limit), up));
  }
  if (double(activation.getUpOffset()) != 0)
    up = up + up.like(double(activation.getUpOffset()));
  return nonlinear(activation.getKind(), activation.getAlpha(), gate) * up;
}
