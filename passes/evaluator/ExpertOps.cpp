// Evaluation of the ops in dialects/moe/ExpertOps.td.
#include "passes/evaluator/Frame.h"
#include "passes/evaluator/GatedMLP.h"
#include "passes/evaluator/Routing.h"

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

static void store(const Choice &choice, std::span<double> ids, std::span<double> weights) {
  llvm::copy(choice.ids, ids.begin());
  llvm::copy(choice.weights, weights.begin());
}

/// The row of a bias that belongs to `expert`; empty when there is no bias.
static std::span<const double> biasOf(const Tensor *bias, int64_t expert) {
  return bias ? bias->row(expert) : std::span<const double>();
}

static LogicalResult evaluateRoute(RouteOp op, Frame &frame) {
  const Tensor &logits = frame[op.getLogits()], *bias = frame.optional(op.getBias()), *table = frame.optional(op.getTable());
  const Tensor *tokens = frame.optional(op.getTokenIds());
  Tensor ids = frame.rowsFor(op.getIds(), op.getLogits()), weights = ids;
  for (int64_t i = 0; i < logits.rows(); ++i) {
    if (!table) {
      store(route(logits.row(i), biasOf(bias, 0), op.getRouting()), ids.row(i), weights.row(i));
      continue;
    }
    double token = tokens->elements[i];
    if (token < 0 || token >= double(table->rows()))
      return op.emitError() << "expected token ids below " << table->rows() << ", got " << int64_t(token);
    for (double id : table->row(int64_t(token)))
      if (id < 0 || id >= double(logits.width()))
        return op.emitError() << "expected expert ids below " << logits.width() << " in the table, got " << int64_t(id);
    store(routeByTable(logits.row(i), table->row(int64_t(token)), op.getRouting()), ids.row(i), weights.row(i));
  }
  frame.set(op.getIds(), std::move(ids));
  frame.set(op.getWeights(), std::move(weights));
  return success();
}

/// Refuses numbers of experts, or of assignments, outside [0, end).
static LogicalResult checkIds(Operation *op, const Tensor &ids, int64_t end) {
  for (double id : ids.elements)
    if (id < 0 || id >= double(end))
      return op->emitError() << "expected numbers below " << end << ", got " << int64_t(id);
  return success();
}

/// A copy of `row` times `factor`.
static std::vector<double> scaled(std::span<const double> row, double factor) {
  std::vector<double> result(row.begin(), row.end());
  for (double &value : result)
    value *= factor;
  return result;
}

/// Adds an expert's result for `input` to `sum`.
template <typename OpT>
static void addExpert(OpT op, Frame &frame, int64_t expert, double weight, std::span<const double> input, std::span<double> sum) {
  const Tensor *gateBias = frame.optional(op.getGateBias()), *upBias = frame.optional(op.getUpBias()),
               *downBias = frame.optional(op.getDownBias());
  std::vector<double> hidden = gatedHidden(scaled(input, op.getWeightOnInput() ? weight : 1), Matrix(frame[op.getGate()], expert),
                                           Matrix(frame[op.getUp()], expert), op.getActivation(), op.getCompute(),
                                           biasOf(gateBias, expert), biasOf(upBias, expert));
  addDown(sum, op.getWeightOnInput() ? 1 : weight, Matrix(frame[op.getDown()], expert), hidden, op.getCompute(),
          biasOf(downBias, expert));
}

static LogicalResult evaluateExperts(ExpertsOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], &ids = frame[op.getIds()], &weights = frame[op.getWeights()];
  if (failed(checkIds(op, ids, frame[op.getGate()].shape[0])))
    return failure();
  Tensor result = frame.rowsFor(op.getResult(), op.getInput());
  for (int64_t i = 0; i < result.rows(); ++i)
    for (int64_t slot = 0; slot < ids.width(); ++slot)
      addExpert(op, frame, int64_t(ids.row(i)[slot]), weights.row(i)[slot], input.row(i), result.row(i));
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateFusedExperts(FusedExpertsOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], &logits = frame[op.getLogits()], *bias = frame.optional(op.getBias());
  const Tensor *residual = frame.optional(op.getResidual());
  Tensor result = frame.rowsFor(op.getResult(), op.getInput()), ids = frame.rowsFor(op.getIds(), op.getInput());
  for (int64_t i = 0; i < result.rows(); ++i) {
    Choice choice = route(logits.row(i), biasOf(bias, 0), op.getRouting());
    llvm::copy(choice.ids, ids.row(i).begin());
    for (auto [expert, weight] : llvm::zip(choice.ids, choice.weights))
      addExpert(op, frame, expert, weight, input.row(i), result.row(i));
    if (op.getSharedGate()) {
      std::vector<double> hidden = gatedHidden(input.row(i), Matrix(frame[op.getSharedGate()]), Matrix(frame[op.getSharedUp()]),
                                               op.getActivation(), op.getCompute());
      addDown(result.row(i), 1, Matrix(frame[op.getSharedDown()]), hidden, op.getCompute());
    }
    if (residual)
      addRow(result.row(i), residual->row(i));
  }
  frame.set(op.getResult(), std::move(result));
  frame.set(op.getIds(), std::move(ids));
  return success();
}

static LogicalResult evaluateDispatch(DispatchOp op, Frame &frame) {
  const Tensor &ids = frame[op.getIds()];
  if (failed(checkIds(op, ids, op.getExperts())))
    return failure();
  Tensor offsets({op.getExperts() + 1}), order(ids.shape);
  size_t filled = 0;
  for (int64_t expert = 0; expert < op.getExperts(); ++expert) {
    offsets.elements[expert] = double(filled);
    for (size_t assignment = 0; assignment < ids.elements.size(); ++assignment)
      if (int64_t(ids.elements[assignment]) == expert)
        order.elements[filled++] = double(assignment);
  }
  offsets.elements.back() = double(filled);
  frame.set(op.getOffsets(), std::move(offsets));
  frame.set(op.getOrder(), std::move(order));
  return success();
}

/// Refuses offsets and an order that no moe.dispatch can have made.
static LogicalResult checkAssignments(Operation *op, const Tensor &offsets, const Tensor &order) {
  double last = 0, count = double(order.elements.size());
  for (double offset : offsets.elements) {
    if (offset < last || offset > count)
      return op->emitError() << "expected ascending offsets up to " << int64_t(count) << ", got " << int64_t(offset);
    last = offset;
  }
  return checkIds(op, order, int64_t(count));
}

/// Calls `visit(expert, token, slot)` for each assignment, in the order that moe.dispatch made.
static void forEachAssignment(const Tensor &offsets, const Tensor &order, auto visit) {
  for (int64_t expert = 0; expert + 1 < int64_t(offsets.elements.size()); ++expert)
    for (int64_t n = int64_t(offsets.elements[expert]); n < int64_t(offsets.elements[expert + 1]); ++n) {
      int64_t assignment = int64_t(order.elements[n]);
      visit(expert, assignment / order.width(), assignment % order.width());
    }
}

static LogicalResult evaluateExpertHidden(ExpertHiddenOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], &gate = frame[op.getGate()], &up = frame[op.getUp()], &order = frame[op.getOrder()];
  const Tensor *gateBias = frame.optional(op.getGateBias()), *upBias = frame.optional(op.getUpBias());
  const Tensor *weights = frame.optional(op.getWeights());
  int64_t intermediate = gate.shape[1];
  if (failed(checkAssignments(op, frame[op.getOffsets()], order)))
    return failure();
  Tensor result = frame.rowsFor(op.getResult(), op.getInput());
  forEachAssignment(frame[op.getOffsets()], order, [&](int64_t expert, int64_t token, int64_t slot) {
    std::vector<double> x = scaled(input.row(token), weights ? weights->row(token)[slot] : 1);
    llvm::copy(gatedHidden(x, Matrix(gate, expert), Matrix(up, expert), op.getActivation(), op.getCompute(),
                           biasOf(gateBias, expert), biasOf(upBias, expert)),
               result.row(token).begin() + slot * intermediate);
  });
  if (op.getSharedGate())
    for (int64_t i = 0; i < result.rows(); ++i)
      llvm::copy(gatedHidden(input.row(i), Matrix(frame[op.getSharedGate()]), Matrix(frame[op.getSharedUp()]), op.getActivation(),
                             op.getCompute()),
                 result.row(i).begin() + order.width() * intermediate);
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateCombine(CombineOp op, Frame &frame) {
  const Tensor &hidden = frame[op.getHidden()], &down = frame[op.getDown()], &order = frame[op.getOrder()];
  const Tensor *weights = frame.optional(op.getWeights()), *bias = frame.optional(op.getDownBias()),
               *residual = frame.optional(op.getResidual());
  int64_t intermediate = down.shape[2], sharedFrom = order.width() * intermediate;
  if (failed(checkAssignments(op, frame[op.getOffsets()], order)))
    return failure();
  Tensor result = frame.rowsFor(op.getResult(), op.getHidden());
  forEachAssignment(frame[op.getOffsets()], order, [&](int64_t expert, int64_t token, int64_t slot) {
    addDown(result.row(token), weights ? weights->row(token)[slot] : 1, Matrix(down, expert),
            hidden.row(token).subspan(slot * intermediate, intermediate), op.getCompute(), biasOf(bias, expert));
  });
  for (int64_t i = 0; i < result.rows(); ++i) {
    if (op.getSharedDown())
      addDown(result.row(i), 1, Matrix(frame[op.getSharedDown()]), hidden.row(i).subspan(sharedFrom), op.getCompute());
    if (residual)
      addRow(result.row(i), residual->row(i));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

void moec::evaluator::populateExpertOps(OpTable &table) {
  table.add(evaluateRoute);
  table.add(evaluateExperts);
  table.add(evaluateFusedExperts);
  table.add(evaluateDispatch);
  table.add(evaluateExpertHidden);
  table.add(evaluateCombine);
}
