// Evaluation of the ops in dialects/moe/StreamOps.td.
#include "passes/evaluator/Frame.h"

#include <cmath>

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

namespace {
/// A square matrix that becomes doubly stochastic.
class Mixing {
public:
  Mixing(std::span<double> elements, int64_t size, double epsilon) : elements(elements), size(size), epsilon(epsilon) {}

  void normalize(int64_t iterations) {
    for (int64_t row = 0; row < size; ++row)
      softmax(elements.subspan(row * size, size));
    for (int64_t i = 0; i < iterations; ++i) {
      for (int64_t row = 0; i && row < size; ++row)
        divideBySum(row * size, 1);
      for (int64_t column = 0; column < size; ++column)
        divideBySum(column, size);
    }
  }

private:
  void softmax(std::span<double> row) const {
    double largest = *std::max_element(row.begin(), row.end()), sum = 0;
    for (double &x : row)
      sum += x = std::exp(x - largest);
    for (double &x : row)
      x = x / sum + epsilon;
  }
  /// Of the elements from `first` on, `distance` apart.
  void divideBySum(int64_t first, int64_t distance) {
    double sum = epsilon;
    for (int64_t i = 0; i < size; ++i)
      sum += elements[first + i * distance];
    for (int64_t i = 0; i < size; ++i)
      elements[first + i * distance] /= sum;
  }

  std::span<double> elements;
  int64_t size;
  double epsilon;
};
} // namespace

static LogicalResult evaluateStreamWeights(StreamWeightsOp op, Frame &frame) {
  const Tensor &scale = frame[op.getScale()], &base = frame[op.getBase()];
  Tensor result = frame[op.getInput()];
  int64_t streams = int64_t(op.getStreams());
  double epsilon = op.getEpsilon().convertToDouble();
  for (int64_t i = 0; i < result.rows(); ++i) {
    std::span<double> row = result.row(i);
    for (size_t column = 0; column < row.size(); ++column)
      row[column] = row[column] * scale.elements[std::min<int64_t>(int64_t(column) / streams, 2)] + base.elements[column];
    for (double &pre : row.first(streams))
      pre = sigmoid(pre) + epsilon;
    if (!op.mixes())
      continue;
    for (double &post : row.subspan(streams, streams))
      post = 2 * sigmoid(post);
    Mixing(row.subspan(2 * streams), streams, epsilon).normalize(int64_t(op.getIterations()));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateMergeStreams(MergeStreamsOp op, Frame &frame) {
  const Tensor &all = frame[op.getStreams()], &weights = frame[op.getWeights()];
  Tensor result = frame.rowsFor(op.getResult(), op.getStreams());
  for (int64_t i = 0; i < result.rows(); ++i)
    for (int64_t column = 0; column < all.width(); ++column)
      result.row(i)[column % result.width()] += weights.row(i)[column / result.width()] * all.row(i)[column];
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateMixStreams(MixStreamsOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], &all = frame[op.getStreams()], &weights = frame[op.getWeights()];
  Tensor result = frame.rowsFor(op.getResult(), op.getStreams());
  int64_t width = input.width(), streams = all.width() / width;
  for (int64_t row = 0; row < result.rows(); ++row) {
    std::span<const double> post = weights.row(row).subspan(streams, streams), mix = weights.row(row).subspan(2 * streams);
    for (int64_t column = 0; column < width; ++column)
      for (int64_t j = 0; j < streams; ++j) {
        double sum = post[j] * input.row(row)[column];
        for (int64_t i = 0; i < streams; ++i)
          sum += mix[i * streams + j] * all.row(row)[i * width + column];
        result.row(row)[j * width + column] = sum;
      }
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

void moec::evaluator::populateStreamOps(OpTable &table) {
  table.add(evaluateStreamWeights);
  table.add(evaluateMergeStreams);
  table.add(evaluateMixStreams);
}
