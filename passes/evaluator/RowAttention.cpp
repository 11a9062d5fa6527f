// Evaluation of attention over rows that are operands, as functions of tensors have it.
#include "passes/evaluator/RowAttention.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

namespace {

/// Which keys the queries of equally long sequences see, and what is added to their scores.
class Sight {
public:
  template <typename Op> static FailureOr<Sight> of(Op op, Frame &frame, int64_t queryRows, int64_t keyRows);

  /// What is added to the score of key `j` for query `i`, or nothing where it is not seen.
  std::optional<double> bias(int64_t sequence, int64_t head, int64_t i, int64_t j) const;

  int64_t sequences = 0, queries = 0, keys = 0;

private:
  const Tensor *lengths = nullptr, *first = nullptr, *added = nullptr;
  std::optional<int64_t> window;
};

template <typename Op> FailureOr<Sight> Sight::of(Op op, Frame &frame, int64_t queryRows, int64_t keyRows) {
  Sight sight;
  sight.lengths = frame.optional(op.getLengths());
  sight.first = frame.optional(op.getFirst());
  sight.added = frame.optional(op.getBias());
  if constexpr (std::is_same_v<Op, AttentionOp>)
    if (auto window = op.getWindow())
      sight.window = int64_t(*window);
  int64_t count = sight.sequences = int64_t(sight.lengths->elements.size());
  if (sight.first && int64_t(sight.first->elements.size()) != count)
    return op.emitError() << "expected " << count << " first positions, got " << int64_t(sight.first->elements.size());
  if (count ? queryRows % count || keyRows % count : queryRows || keyRows)
    return op.emitError() << "expected rows of " << count << " equally long sequences, got " << queryRows << " and " << keyRows;
  sight.queries = count ? queryRows / count : 0;
  sight.keys = count ? keyRows / count : 0;
  return sight;
}

std::optional<double> Sight::bias(int64_t sequence, int64_t head, int64_t i, int64_t j) const {
  double length = lengths->elements[sequence];
  if (double(j) >= length)
    return std::nullopt;
  if (first) {
    double position = first->elements[sequence] + double(i);
    if (position >= length || double(j) > position || (window && double(j) <= position - double(*window)))
      return std::nullopt;
  }
  if (!added)
    return 0;
  int64_t place[] = {sequence, head, i, j}, offset = 0;
  for (int axis = 0; axis < 4; ++axis)
    offset = offset * added->shape[axis] + (added->shape[axis] == 1 ? 0 : place[axis]);
  double bias = added->elements[offset];
  return bias == -std::numeric_limits<double>::infinity() ? std::nullopt : std::optional(bias);
}

/// One softmax over the keys that a query sees, and the sum of values that it weighs.
struct Heads {
  int64_t count, valueDim;
  Compute compute;
  std::function<double(int64_t row, int64_t head, int64_t key)> score;
  std::function<std::span<const double>(int64_t head, int64_t key)> value;
  const Tensor *sinks = nullptr;
};

} // namespace

static Tensor attend(const Sight &sight, const Heads &heads) {
  Tensor result({sight.sequences * sight.queries, heads.count * heads.valueDim});
  for (int64_t row = 0; row < result.rows(); ++row)
    for (int64_t head = 0; head < heads.count; ++head) {
      int64_t sequence = row / sight.queries;
      std::vector<double> scores;
      std::vector<int64_t> seen;
      for (int64_t j = 0; j < sight.keys; ++j)
        if (auto bias = sight.bias(sequence, head, row % sight.queries, j)) {
          seen.push_back(sequence * sight.keys + j);
          scores.push_back(heads.score(row, head, seen.back()) + *bias);
        }
      softmax(scores, heads.sinks ? std::optional(heads.sinks->elements[head]) : std::nullopt);
      scores = entering(scores, heads.compute);
      std::span<double> o = result.row(row).subspan(head * heads.valueDim, heads.valueDim);
      for (auto [score, key] : llvm::zip_equal(scores, seen))
        for (auto [sum, v] : llvm::zip_equal(o, heads.value(head, key)))
          sum += score * v;
    }
  return result;
}

/// Every row as it enters a product.
static Tensor rounded(Tensor rows, Compute compute) {
  rows.elements = entering(rows.elements, compute);
  return rows;
}

LogicalResult moec::evaluator::evaluateRowAttention(AttentionOp op, Frame &frame) {
  Compute compute = op.getCompute();
  Tensor query = rounded(frame[op.getQuery()], compute), keys = rounded(frame[op.getKeyRows()], compute),
         values = rounded(frame[op.getValueRows()], compute);
  auto sight = Sight::of(op, frame, query.rows(), keys.rows());
  if (failed(sight))
    return failure();
  if (values.rows() != keys.rows())
    return op.emitError() << "expected " << keys.rows() << " rows of values, got " << values.rows();
  int64_t headDim = op.getHeadDim(), count = query.width() / headDim, group = count / (keys.width() / headDim);
  int64_t valueDim = widthOf(op.getType()) / count;
  double scale = op.getScale().convertToDouble();
  Heads heads{count,
              valueDim,
              compute,
              [&](int64_t row, int64_t head, int64_t key) {
                double score = scale * dot(query.row(row).subspan(head * headDim, headDim),
                                           keys.row(key).subspan(head / group * headDim, headDim));
                auto cap = op.getSoftCap();
                return cap ? cap->convertToDouble() * std::tanh(score / cap->convertToDouble()) : score;
              },
              [&](int64_t head, int64_t key) {
                return std::span<const double>(values.row(key).subspan(head / group * valueDim, valueDim));
              },
              frame.optional(op.getSinks())};
  frame.set(op.getResult(), attend(*sight, heads));
  return success();
}

/// Rows of each sequence: those of `before`, then those of `after`.
static Tensor joined(const Tensor &before, const Tensor &after, int64_t sequences) {
  Tensor result({before.rows() + after.rows(), after.width()});
  auto out = result.elements.begin();
  for (int64_t sequence = 0; sequence < sequences; ++sequence)
    for (const Tensor *part : {&before, &after}) {
      int64_t size = int64_t(part->elements.size()) / sequences;
      out = std::copy_n(part->elements.begin() + sequence * size, size, out);
    }
  return result;
}

LogicalResult moec::evaluator::evaluateRowAttention(LatentAttentionOp op, Frame &frame) {
  Compute compute = op.getCompute();
  const Tensor &keyUp = frame[op.getKeyUp()], &valueUp = frame[op.getValueUp()];
  Tensor query = rounded(frame[op.getQuery()], compute), latents = rounded(frame[op.getLatents()], compute);
  int64_t count = keyUp.shape[0], latent = keyUp.shape[2], width = query.width() / count;
  Tensor keys({latents.rows(), query.width()}), values({latents.rows(), widthOf(op.getType())});
  for (int64_t row = 0; row < latents.rows(); ++row) {
    std::span<const double> c = std::span<const double>(latents.row(row)).first(latent);
    auto key = keys.row(row).begin(), value = values.row(row).begin();
    for (int64_t head = 0; head < count; ++head) {
      key = llvm::copy(product(Matrix(keyUp, head), c), key);
      key = llvm::copy(latents.row(row).subspan(latent), key);
      value = llvm::copy(product(Matrix(valueUp, head), c), value);
    }
  }
  if (op.getPastKeys()) {
    int64_t sequences = int64_t(frame[op.getLengths()].elements.size());
    keys = joined(frame[op.getPastKeys()], keys, sequences);
    values = joined(frame[op.getPastValues()], values, sequences);
  }
  auto sight = Sight::of(op, frame, query.rows(), keys.rows());
  if (failed(sight))
    return failure();
  keys = rounded(std::move(keys), compute), values = rounded(std::move(values), compute);
  int64_t valueDim = values.width() / count;
  double scale = op.getScale().convertToDouble();
  Heads heads{
      count, valueDim, compute,
      [&](int64_t row, int64_t head, int64_t key) {
        return scale * dot(query.row(row).subspan(head * width, width), keys.row(key).subspan(head * width, width));
      },
      [&](int64_t head, int64_t key) { return std::span<const double>(values.row(key).subspan(head * valueDim, valueDim)); }};
  frame.set(op.getResult(), attend(*sight, heads));
  return success();
}

LogicalResult moec::evaluator::evaluateRowAttention(AbsorbedAttentionOp op, Frame &frame) {
  Compute compute = op.getCompute();
  const Tensor &keyUp = frame[op.getKeyUp()], &valueUp = frame[op.getValueUp()];
  Tensor query = rounded(frame[op.getQuery()], compute), latents = rounded(frame[op.getLatents()], compute);
  auto sight = Sight::of(op, frame, query.rows(), latents.rows());
  if (failed(sight))
    return failure();
  int64_t count = keyUp.shape[0], nope = keyUp.shape[1], latent = keyUp.shape[2], width = query.width() / count;
  Tensor absorbed({query.rows(), count * latents.width()});
  for (int64_t row = 0; row < query.rows(); ++row)
    for (int64_t head = 0; head < count; ++head) {
      std::span<const double> q = query.row(row).subspan(head * width, width);
      std::span<double> to = absorbed.row(row).subspan(head * latents.width(), latents.width());
      llvm::copy(entering(transposedProduct(Matrix(keyUp, head), q.first(nope)), compute), to.begin());
      llvm::copy(q.subspan(nope), to.begin() + latent);
    }
  double scale = op.getScale().convertToDouble();
  Heads heads{count, latent, compute,
              [&](int64_t row, int64_t head, int64_t key) {
                return scale * dot(absorbed.row(row).subspan(head * latents.width(), latents.width()), latents.row(key));
              },
              [&](int64_t, int64_t key) { return std::span<const double>(latents.row(key)).first(latent); }};
  Tensor means = rounded(attend(*sight, heads), compute), result({query.rows(), widthOf(op.getType())});
  for (int64_t row = 0; row < query.rows(); ++row) {
    auto out = result.row(row).begin();
    for (int64_t head = 0; head < count; ++head)
      out = llvm::copy(product(Matrix(valueUp, head), means.row(row).subspan(head * latent, latent)), out);
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}
