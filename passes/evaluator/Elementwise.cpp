// Evaluation of what arith and math do to numbers and, element by element, to tensors.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/evaluator/Frame.h"
#include "passes/evaluator/Scalar.h"

using namespace mlir;
using namespace moec::evaluator;

static LogicalResult evaluateConstant(arith::ConstantOp op, Frame &frame) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements) {
    if (!isa<FloatAttr, IntegerAttr>(op.getValue()))
      return op.emitError() << "expected a number or numbers that stand here, got " << op.getValue();
    frame.set(op.getResult(), Tensor({}, {numberOf(op.getValue())}));
    return success();
  }
  Tensor result(elements.getType().getShape().vec());
  for (auto [to, from] : llvm::zip(result.elements, elements.getValues<Attribute>()))
    to = numberOf(from);
  frame.set(op.getResult(), std::move(result));
  return success();
}

LogicalResult moec::evaluator::evaluateElementwise(Operation *op, Frame &frame) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return evaluateConstant(constant, frame);
  ScalarFunction function = scalarFunctionOf(op);
  if (!function)
    return op->emitError() << "the reference evaluator does not know '" << op->getName() << "'";
  // The condition of arith.select may be one number for all elements.
  const Tensor &like = frame[op->getOperands().back()];
  SmallVector<const Tensor *, 3> operands;
  for (Value operand : op->getOperands()) {
    const Tensor &tensor = frame[operand];
    operands.push_back(&tensor);
    if (tensor.shape != like.shape && !(isa<arith::SelectOp>(op) && tensor.shape.empty()))
      return op->emitError() << "expected operands of one shape, got " << ArrayRef(tensor.shape) << " and " << ArrayRef(like.shape);
  }
  Tensor result(like.shape);
  for (size_t i = 0; i < result.elements.size(); ++i) {
    double numbers[3];
    for (auto [number, operand] : llvm::zip(numbers, operands))
      number = operand->elements[operand->shape.empty() ? 0 : i];
    result.elements[i] = function(numbers);
  }
  frame.set(op->getResult(0), std::move(result));
  return success();
}
