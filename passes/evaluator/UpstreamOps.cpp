// Evaluation of the upstream ops that modules use between moe ops: constants and elementwise arithmetic.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/evaluator/Frame.h"

#include <cmath>

using namespace mlir;
using namespace moec::evaluator;

static LogicalResult evaluateConstant(arith::ConstantOp op, Frame &frame) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements)
    return op.emitError() << "expected a constant tensor, got " << op.getValue();
  Tensor result(elements.getType().getShape().vec());
  if (isa<FloatType>(elements.getElementType())) {
    for (auto [to, from] : llvm::zip(result.elements, elements.getValues<APFloat>()))
      to = from.convertToDouble();
  } else {
    for (auto [to, from] : llvm::zip(result.elements, elements.getValues<APInt>()))
      to = double(from.getSExtValue());
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

template <typename OpT, double (*Function)(double)> static LogicalResult evaluateUnary(OpT op, Frame &frame) {
  Tensor result = frame[op.getOperand()];
  for (double &x : result.elements)
    x = Function(x);
  frame.set(op.getResult(), std::move(result));
  return success();
}

template <typename OpT, double (*Function)(double, double)> static LogicalResult evaluateBinary(OpT op, Frame &frame) {
  Tensor result = frame[op.getLhs()];
  const Tensor &other = frame[op.getRhs()];
  for (size_t i = 0; i < result.elements.size(); ++i)
    result.elements[i] = Function(result.elements[i], other.elements[i]);
  frame.set(op.getResult(), std::move(result));
  return success();
}

static double add(double a, double b) { return a + b; }
static double subtract(double a, double b) { return a - b; }
static double multiply(double a, double b) { return a * b; }
static double divide(double a, double b) { return a / b; }
/// Unlike fmax and fmin, arith's maximumf and minimumf pass NaN on.
static double maximum(double a, double b) { return std::isnan(a) || std::isnan(b) ? a + b : std::fmax(a, b); }
static double minimum(double a, double b) { return std::isnan(a) || std::isnan(b) ? a + b : std::fmin(a, b); }
static double negate(double a) { return -a; }
static double reciprocalRoot(double a) { return 1 / std::sqrt(a); }

void moec::evaluator::populateUpstreamOps(OpTable &table) {
  table.add(evaluateConstant);
  table.add(evaluateBinary<arith::AddFOp, add>);
  table.add(evaluateBinary<arith::SubFOp, subtract>);
  table.add(evaluateBinary<arith::MulFOp, multiply>);
  table.add(evaluateBinary<arith::DivFOp, divide>);
  table.add(evaluateBinary<arith::MaximumFOp, maximum>);
  table.add(evaluateBinary<arith::MinimumFOp, minimum>);
  table.add(evaluateUnary<arith::NegFOp, negate>);
  table.add(evaluateUnary<math::ExpOp, std::exp>);
  table.add(evaluateUnary<math::LogOp, std::log>);
  table.add(evaluateUnary<math::TanhOp, std::tanh>);
  table.add(evaluateUnary<math::ErfOp, std::erf>);
  table.add(evaluateUnary<math::SqrtOp, std::sqrt>);
  table.add(evaluateUnary<math::RsqrtOp, reciprocalRoot>);
  table.add(evaluateUnary<math::SinOp, std::sin>);
  table.add(evaluateUnary<math::CosOp, std::cos>);
  table.add(evaluateUnary<math::AbsFOp, std::fabs>);
}
