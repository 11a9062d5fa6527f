// Evaluation of the ops in dialects/moe/DenseOps.td.
#include "dialects/moe/Rotary.h"
#include "passes/evaluator/Frame.h"
#include "passes/evaluator/GatedMLP.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

static LogicalResult evaluateLinear(LinearOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()];
  const Tensor *bias = frame.optional(op.getBias()), *residual = frame.optional(op.getResidual());
  Matrix weight(frame[op.getWeight()]);
  Tensor result = frame.rowsFor(op.getResult(), op.getInput());
  for (int64_t i = 0; i < result.rows(); ++i) {
    std::span<double> y = result.row(i);
    llvm::copy(product(weight, entering(input.row(i), op.getCompute())), y.begin());
    if (bias)
      addRow(y, bias->row(0));
    if (residual)
      addRow(y, residual->row(i));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateGroupedLinear(GroupedLinearOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()];
  Matrix weight(frame[op.getWeight()]);
  Tensor result = frame.rowsFor(op.getResult(), op.getInput());
  int64_t groups = op.getGroups(), out = weight.rows / groups;
  for (int64_t i = 0; i < result.rows(); ++i) {
    std::vector<double> x = entering(input.row(i), op.getCompute());
    for (int64_t row = 0; row < weight.rows; ++row)
      result.row(i)[row] = dot(weight.row(row), std::span(x).subspan(row / out * weight.columns, weight.columns));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateRMSNorm(RMSNormOp op, Frame &frame) {
  Tensor result = frame[op.getInput()];
  const Tensor *weight = frame.optional(op.getWeight());
  int64_t group = weight ? weight->width() : *op.getGroup();
  double epsilon = op.getEpsilon().convertToDouble();
  for (int64_t first = 0; first < int64_t(result.elements.size()); first += group) {
    std::span<double> x = std::span(result.elements).subspan(first, group);
    double factor = 1 / std::sqrt(dot(x, x) / double(group) + epsilon);
    for (int64_t i = 0; i < group; ++i)
      x[i] *= weight ? factor * weight->elements[i] : factor;
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

/// Turns the pairs of a head, by the cosine and sine that `turn` has of each.
static void rotate(std::span<double> head, RotaryAttr rotary, llvm::function_ref<std::pair<double, double>(size_t)> turn) {
  std::span<double> slice = head.subspan(rotary.getOffset(), rotary.getDims());
  bool half = rotary.getLayout() == RotaryLayout::Half;
  size_t pairs = slice.size() / 2;
  for (size_t i = 0; i < pairs; ++i) {
    auto [cosine, sine] = turn(i);
    cosine *= rotary.getMultiplier(), sine *= rotary.getMultiplier();
    if (rotary.getInverse())
      sine = -sine;
    double &a = slice[half ? i : 2 * i], &b = slice[half ? i + pairs : 2 * i + 1];
    double turned = a * cosine - b * sine;
    b = b * cosine + a * sine;
    a = turned;
  }
}

static LogicalResult evaluateLayerNorm(LayerNormOp op, Frame &frame) {
  const Tensor &weight = frame[op.getWeight()], *bias = op.getBias() ? &frame[op.getBias()] : nullptr;
  Tensor result = frame[op.getInput()];
  size_t group = weight.elements.size();
  double epsilon = op.getEpsilon().convertToDouble();
  for (size_t first = 0; first < result.elements.size(); first += group) {
    std::span<double> x = std::span(result.elements).subspan(first, group);
    double mean = std::accumulate(x.begin(), x.end(), 0.0) / double(group);
    for (double &value : x)
      value -= mean;
    double scale = 1 / std::sqrt(dot(x, x) / double(group) + epsilon);
    for (size_t i = 0; i < group; ++i)
      x[i] = x[i] * scale * weight.elements[i] + (bias ? bias->elements[i] : 0);
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

/// Each row by angles of its own.
static LogicalResult rotateByTables(RopeOp op, Frame &frame) {
  Tensor result = frame[op.getInput()];
  const Tensor &cos = frame[op.getCos()], &sin = frame[op.getSin()];
  if (cos.rows() != result.rows() || sin.rows() != result.rows())
    return op.emitError() << "expected " << result.rows() << " rows of cosines and sines, got " << cos.rows() << " and "
                          << sin.rows();
  for (int64_t token = 0; token < result.rows(); ++token)
    for (int64_t head = 0; head < result.width(); head += op.getHeadDim())
      rotate(result.row(token).subspan(head, op.getHeadDim()), op.getRotary(),
             [&](size_t pair) { return std::pair(cos.row(token)[pair], sin.row(token)[pair]); });
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateRope(RopeOp op, Frame &frame) {
  if (!op.getBatch())
    return rotateByTables(op, frame);
  Tensor result = frame[op.getInput()];
  const Batch &batch = frame.batch(op.getBatch());
  std::vector<double> frequencies = rotaryFrequencies(op.getRotary());
  for (int64_t token = 0; token < result.rows(); ++token) {
    std::span<double> row = result.row(token);
    double position = double(batch.positionOf(token) / int64_t(op.getBlock()) * int64_t(op.getBlock()));
    for (int64_t head = 0; head < result.width(); head += op.getHeadDim())
      rotate(row.subspan(head, op.getHeadDim()), op.getRotary(), [&](size_t pair) {
        double angle = position * frequencies[pair];
        return std::pair(std::cos(angle), std::sin(angle));
      });
    if (auto scale = op.getPositionScaleAttr())
      for (double &x : row)
        x *= positionScale(scale, batch.positionOf(token));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateScaleByPosition(ScaleByPositionOp op, Frame &frame) {
  Tensor result = frame[op.getInput()];
  const Batch &batch = frame.batch(op.getBatch());
  for (int64_t token = 0; token < result.rows(); ++token)
    for (double &x : result.row(token))
      x *= positionScale(op.getScale(), batch.positionOf(token));
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateActivate(ActivateOp op, Frame &frame) {
  Tensor result = frame[op.getGate()];
  const Tensor &up = frame[op.getUp()];
  for (size_t i = 0; i < result.elements.size(); ++i)
    result.elements[i] = activate(result.elements[i], up.elements[i], op.getActivation());
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateGateUp(GateUpOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()];
  Matrix gate(frame[op.getGate()]), up(frame[op.getUp()]);
  Tensor result = frame.rowsFor(op.getResult(), op.getInput());
  for (int64_t i = 0; i < result.rows(); ++i)
    llvm::copy(gatedHidden(input.row(i), gate, up, op.getActivation(), op.getCompute()), result.row(i).begin());
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateGatedMLP(GatedMLPOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], *residual = frame.optional(op.getResidual());
  Matrix gate(frame[op.getGate()]), up(frame[op.getUp()]), down(frame[op.getDown()]);
  Tensor result = frame.rowsFor(op.getResult(), op.getInput());
  for (int64_t i = 0; i < result.rows(); ++i) {
    addDown(result.row(i), 1, down, gatedHidden(input.row(i), gate, up, op.getActivation(), op.getCompute()), op.getCompute());
    if (residual)
      addRow(result.row(i), residual->row(i));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

void moec::evaluator::populateDenseOps(OpTable &table) {
  table.add(evaluateLinear);
  table.add(evaluateGroupedLinear);
  table.add(evaluateRMSNorm);
  table.add(evaluateLayerNorm);
  table.add(evaluateRope);
  table.add(evaluateScaleByPosition);
  table.add(evaluateActivate);
  table.add(evaluateGateUp);
  table.add(evaluateGatedMLP);
}
