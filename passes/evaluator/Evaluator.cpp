// The reference evaluator: what a function of moe ops means, in plain loops over f64.
#include "passes/evaluator/Evaluator.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/evaluator/Frame.h"

using namespace mlir;
using namespace moec::evaluator;

static const OpTable &opTable() {
  static const OpTable table = [] {
    OpTable all;
    populateModelOps(all);
    populateSampling(all);
    populateNumberFormat(all);
    populateDenseOps(all);
    populateExpertOps(all);
    populateAttentionOps(all);
    populateStreamOps(all);
    populateTensorOps(all);
    populateControlFlow(all);
    return all;
  }();
  return table;
}

void Frame::alias(Value value, Value other) {
  if (auto found = tensors.find(other); found != tensors.end())
    share(value, found->second);
  if (auto found = batches.find(other); found != batches.end())
    batches[value] = found->second;
  if (auto found = references.find(other); found != references.end())
    refer(value, MakeWeight(found->second)); // a copy: the table may grow
}

void Frame::bind(Value value, const Argument &argument) {
  if (auto *batch = std::get_if<Batch>(&argument))
    batches[value] = batch;
  else
    set(value, std::get<Tensor>(argument));
}

void Frame::refer(Value value, moe::WeightOp weight) {
  refer(value, [this, weight](Operation *user) { return weights.load(weight, user); });
}

Frame::MakeWeight Frame::makerOf(Value value) const {
  if (auto found = references.find(value); found != references.end())
    return found->second;
  return [tensor = tensors.lookup(value)](Operation *) { return FailureOr(tensor); };
}

LogicalResult Frame::run(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(runOp(op)))
      return failure();
  return success();
}

/// Which values of `block`, and of what surrounds it, no later op of it reads: by the last op that does, or that makes them.
static DenseMap<Operation *, SmallVector<Value>> lastReads(Block &block) {
  DenseMap<Operation *, SmallVector<Value>> last;
  ValueRange results = block.getTerminator()->getOperands();
  DenseSet<Value> later(results.begin(), results.end());
  for (Operation &op : llvm::reverse(block.without_terminator())) {
    SetVector<Value> here;
    here.insert_range(op.getOperands());
    getUsedValuesDefinedAbove(op.getRegions(), here);
    here.insert_range(op.getResults());
    for (Value value : here)
      if (later.insert(value).second)
        last[&op].push_back(value);
  }
  return last;
}

LogicalResult Frame::runOnce(Block &block) {
  DenseMap<Operation *, SmallVector<Value>> last = lastReads(block);
  for (Operation &op : block.without_terminator()) {
    if (failed(runOp(op)))
      return failure();
    for (Value value : last.lookup(&op))
      forget(value);
  }
  return success();
}

/// Refuses operands of a moe op that disagree in the number of rows, or with the batch: a value from beyond moe.gather_outputs, for
/// example.
static LogicalResult checkRows(Operation &op, const Frame &frame) {
  if (!isa<moec::moe::MoEDialect>(op.getDialect()) || op.getNumRegions())
    return success();
  // Without a batch, attention has as many rows as there are queries, keys or sequences, and looks at them itself.
  if (isa<moec::moe::AttentionOp, moec::moe::LatentAttentionOp, moec::moe::AbsorbedAttentionOp>(op) &&
      llvm::none_of(op.getOperandTypes(), llvm::IsaPred<moec::moe::BatchType>))
    return success();
  std::optional<int64_t> expected;
  for (Value operand : op.getOperands())
    if (isa<moec::moe::BatchType>(operand.getType()))
      expected = frame.batch(operand).tokens();
  for (Value operand : op.getOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type || type.getRank() == 0 || !type.isDynamicDim(0))
      continue;
    int64_t rows = frame[operand].shape[0];
    if (expected && rows != *expected)
      return op.emitError() << "expected operands of " << *expected << " rows, got " << rows;
    expected = rows;
  }
  return success();
}

/// The values that `op` reads itself: its operands, and what the elements that it computes are made of. The regions of other ops
/// read when they run.
static SmallVector<Value> readBy(Operation &op) {
  if (isa<moec::moe::RowwiseOp, moec::moe::DequantizeOp>(op))
    return {};
  SmallVector<Value> read(op.getOperands());
  if (isa<linalg::LinalgOp, tensor::GenerateOp, tensor::PadOp>(op)) {
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegions(), captured);
    llvm::append_range(read, captured);
  }
  return read;
}

LogicalResult Frame::runOp(Operation &op) {
  const OpTable::Function *function = opTable().find(&op);
  if (failed(checkRows(op, *this)))
    return failure();
  SmallVector<Value> loaded;
  for (Value operand : readBy(op))
    if (auto found = references.find(operand); found != references.end() && !knows(operand)) {
      auto weight = found->second(&op);
      if (failed(weight))
        return failure();
      share(operand, *weight);
      loaded.push_back(operand);
    }
  if (failed(function                    ? (*function)(&op, *this)
             : isa<linalg::LinalgOp>(op) ? evaluateLinalg(&op, *this)
                                         : evaluateElementwise(&op, *this)))
    return failure();
  for (Value weight : loaded)
    forget(weight);
  // An op takes some time whatever its results.
  uint64_t steps = 64;
  for (OpResult result : op.getResults())
    if (auto found = tensors.find(result); found != tensors.end())
      steps += found->second->elements.size();
  if (failed(spend(&op, steps)) || failed(allocate(&op, 0)))
    return failure();
  if (trace)
    for (OpResult result : op.getResults())
      if (auto found = tensors.find(result); found != tensors.end())
        trace->push_back({&op, op.getLoc(), result.getType(), found->second});
  return success();
}

/// Whether `tensor` has the rank and the static dimensions of `type`.
static bool fits(const Tensor &tensor, Type type) {
  auto ranked = dyn_cast<RankedTensorType>(type);
  if (!ranked || ranked.getRank() != int64_t(tensor.shape.size()))
    return false;
  for (auto [dim, expected] : llvm::zip(tensor.shape, ranked.getShape()))
    if (!ShapedType::isDynamic(expected) && dim != expected)
      return false;
  return true;
}

FailureOr<std::vector<Tensor>> moec::evaluator::evaluate(func::FuncOp function, ArrayRef<Argument> arguments, Weights &weights,
                                                         Caches &caches, Trace *trace, Budget *budget) {
  if (function.isExternal() || !function.getBody().hasOneBlock())
    return function.emitError() << "expected a function with a body of one block to evaluate";
  if (arguments.size() != function.getNumArguments())
    return function.emitError() << "expected " << function.getNumArguments() << " arguments, got " << arguments.size();
  Frame frame(weights, caches, trace, budget);
  for (auto [parameter, argument] : llvm::zip(function.getArguments(), arguments)) {
    auto *tensor = std::get_if<Tensor>(&argument);
    if (tensor ? !fits(*tensor, parameter.getType()) : !isa<moe::BatchType>(parameter.getType()))
      return function.emitError() << "argument " << parameter.getArgNumber() << " does not have the type " << parameter.getType();
    frame.bind(parameter, argument);
  }
  Block &body = function.getBody().front();
  if (failed(frame.runOnce(body)))
    return failure();
  std::vector<Tensor> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(frame[value]);
  return results;
}
