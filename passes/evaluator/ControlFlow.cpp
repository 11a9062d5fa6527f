// Evaluation of branches and loops over whole tensors, and of assertions.
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/evaluator/Frame.h"

using namespace mlir;
using namespace moec::evaluator;

/// Gives the values of `from` to `to`, as if all at once.
static void move(Frame &frame, ValueRange from, ValueRange to) {
  SmallVector<std::shared_ptr<const Tensor>> tensors;
  for (Value value : from)
    tensors.push_back(frame.shared(value));
  for (auto [value, tensor, source] : llvm::zip(to, tensors, from))
    if (tensor)
      frame.share(value, tensor);
    else
      frame.alias(value, source); // a weight, which no loop changes
}

static LogicalResult evaluateIf(scf::IfOp op, Frame &frame) {
  Region &taken = frame.index(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  if (taken.empty())
    return success();
  if (failed(frame.run(taken.front())))
    return failure();
  move(frame, taken.front().getTerminator()->getOperands(), op.getResults());
  return success();
}

static LogicalResult evaluateFor(scf::ForOp op, Frame &frame) {
  int64_t from = frame.index(op.getLowerBound()), to = frame.index(op.getUpperBound()), step = frame.index(op.getStep());
  if (step <= 0)
    return op.emitError() << "expected a positive step, got " << step;
  move(frame, op.getInitArgs(), op.getRegionIterArgs());
  for (int64_t i = from; i < to; i += step) {
    frame.set(op.getInductionVar(), Tensor({}, {double(i)}));
    if (failed(frame.spend(op, 1)) || failed(frame.run(*op.getBody())))
      return failure();
    move(frame, op.getBody()->getTerminator()->getOperands(), op.getRegionIterArgs());
  }
  move(frame, op.getRegionIterArgs(), op.getResults());
  return success();
}

static LogicalResult evaluateWhile(scf::WhileOp op, Frame &frame) {
  move(frame, op.getInits(), op.getBeforeArguments());
  for (;;) {
    if (failed(frame.spend(op, 1)) || failed(frame.run(*op.getBeforeBody())))
      return failure();
    scf::ConditionOp condition = op.getConditionOp();
    if (!frame.index(condition.getCondition())) {
      move(frame, condition.getArgs(), op.getResults());
      return success();
    }
    move(frame, condition.getArgs(), op.getAfterArguments());
    if (failed(frame.run(*op.getAfterBody())))
      return failure();
    move(frame, op.getYieldOp()->getOperands(), op.getBeforeArguments());
  }
}

static LogicalResult evaluateAssert(cf::AssertOp op, Frame &frame) {
  return frame.index(op.getArg()) ? success() : LogicalResult(op.emitError() << op.getMsg());
}

void moec::evaluator::populateControlFlow(OpTable &table) {
  table.add(evaluateIf);
  table.add(evaluateFor);
  table.add(evaluateWhile);
  table.add(evaluateAssert);
}
