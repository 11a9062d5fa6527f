// Evaluation of the ops in dialects/moe/AttentionOps.td.
#include "passes/evaluator/RowAttention.h"

#include <cmath>
#include <numeric>
#include <optional>

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

void moec::evaluator::softmax(std::vector<double> &scores, std::optional<double> sink) {
  double largest = sink.value_or(scores.empty() ? 0 : scores.front());
  for (double score : scores)
    largest = std::max(largest, score);
  double sum = sink ? std::exp(*sink - largest) : 0;
  for (double &score : scores)
    sum += score = std::exp(score - largest);
  for (double &score : scores)
    score /= sum;
}

/// Positions of a row of `cache`.
static int64_t blockOf(Operation *op, FlatSymbolRefAttr cache) {
  return int64_t(SymbolTable::lookupNearestSymbolFrom<CacheOp>(op, cache).getBlock());
}

/// How many rows of `cache` belong to blocks that end at or before `token`.
static int64_t visibleRows(Operation *op, FlatSymbolRefAttr cache, const Batch &batch, int64_t token) {
  return (batch.positionOf(token) + 1) / blockOf(op, cache);
}

/// The cached rows that token may attend to, or failure when they have not been appended before `op`.
static FailureOr<const Caches::Rows *> rowsUpTo(Operation *op, FlatSymbolRefAttr cache, const Batch &batch, int64_t token,
                                                Frame &frame) {
  const Caches::Rows &rows = frame.caches().rows(cache.getValue().str(), batch.sequenceOf(token));
  if (int64_t(rows.size()) < visibleRows(op, cache, batch, token))
    return op->emitError() << "expected cache '" << cache.getValue() << "' to hold position " << batch.positionOf(token)
                           << " of sequence " << batch.sequenceOf(token) << ", got " << int64_t(rows.size()) * blockOf(op, cache)
                           << " positions; is a moe.append missing?";
  return &rows;
}

/// Part of a cached row, as it enters a product.
static std::vector<double> part(const std::vector<double> &row, int64_t from, int64_t width, Compute compute) {
  return entering(std::span(row).subspan(from, width), compute);
}

namespace {
/// A cached key and the value that goes with it.
struct KeyAndValue {
  const std::vector<double> *key, *value;
};
} // namespace

/// What `token` attends to: positions one by one, then entries of blocks.
static FailureOr<std::vector<KeyAndValue>> attendedBy(AttentionOp op, const Batch &batch, int64_t token, Frame &frame) {
  auto keys = rowsUpTo(op, op.getKeysAttr(), batch, token, frame);
  if (failed(keys))
    return failure();
  auto values = rowsUpTo(op, op.getValuesAttr(), batch, token, frame);
  if (failed(values))
    return failure();
  int64_t position = batch.positionOf(token), first = 0;
  if (auto window = op.getWindow())
    first = std::max<int64_t>(0, position - int64_t(*window) + 1);
  if (auto chunk = op.getChunk())
    first = position - position % int64_t(*chunk);
  std::vector<KeyAndValue> attended;
  for (int64_t p = first; p <= position; ++p)
    attended.push_back({&(**keys)[p], &(**values)[p]});
  if (!op.getEntries())
    return attended;

  auto entries = rowsUpTo(op, op.getEntriesAttr(), batch, token, frame);
  if (failed(entries))
    return failure();
  int64_t visible = visibleRows(op, op.getEntriesAttr(), batch, token);
  auto attend = [&](int64_t entry) { attended.push_back({&(**entries)[entry], &(**entries)[entry]}); };
  if (const Tensor *lists = frame.optional(op.getPositions())) {
    for (double entry : lists->row(token))
      if (entry >= 0 && entry < double(visible))
        attend(int64_t(entry));
  } else {
    for (int64_t entry = 0; entry < visible; ++entry)
      attend(entry);
  }
  return attended;
}

static LogicalResult evaluateAttention(AttentionOp op, Frame &frame) {
  if (!op.getBatch())
    return evaluateRowAttention(op, frame);
  const Tensor &query = frame[op.getQuery()], *sinks = frame.optional(op.getSinks());
  const Batch &batch = frame.batch(op.getBatch());
  Compute compute = op.getCompute();
  int64_t headDim = op.getHeadDim(), heads = query.width() / headDim;
  double scale = op.getScale().convertToDouble();
  Tensor result = frame.rowsFor(op.getResult(), op.getQuery());
  int64_t valueDim = result.width() / heads;
  for (int64_t token = 0; token < batch.tokens(); ++token) {
    auto attended = attendedBy(op, batch, token, frame);
    if (failed(attended))
      return failure();
    int64_t headsPerKv = heads / (int64_t(attended->front().key->size()) / headDim);
    for (int64_t head = 0; head < heads; ++head) {
      std::vector<double> q = entering(query.row(token).subspan(head * headDim, headDim), compute), scores;
      for (const KeyAndValue &one : *attended) {
        double score = scale * dot(q, part(*one.key, head / headsPerKv * headDim, headDim, compute));
        if (auto cap = op.getSoftCap())
          score = cap->convertToDouble() * std::tanh(score / cap->convertToDouble());
        scores.push_back(score);
      }
      softmax(scores, sinks ? std::optional(sinks->elements[head]) : std::nullopt);
      scores = entering(scores, compute);
      std::span<double> o = result.row(token).subspan(head * valueDim, valueDim);
      for (auto [score, one] : llvm::zip_equal(scores, *attended)) {
        std::vector<double> v = part(*one.value, head / headsPerKv * valueDim, valueDim, compute);
        for (int64_t i = 0; i < valueDim; ++i)
          o[i] += score * v[i];
      }
    }
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

/// The entry of the block that ends at `position`.
static std::vector<double> poolBlock(PoolBlocksOp op, const Caches::Rows &rows, const Tensor &bias, int64_t position) {
  int64_t block = op.getBlockSize(), width = widthOf(op.getType()), columns = bias.width(), end = position + 1;
  std::vector<double> entry(width);
  for (int64_t column = 0; column < width; ++column) {
    std::vector<double> weights, values;
    auto take = [&](int64_t first, int64_t from) {
      for (int64_t i = 0; i < block; ++i) {
        weights.push_back(rows[first + i][columns + from] + bias.row(i)[from]);
        values.push_back(rows[first + i][from]);
      }
    };
    if (op.overlaps() && end > block)
      take(end - 2 * block, column);
    take(end - block, op.overlaps() ? column + width : column);
    softmax(weights, std::nullopt);
    entry[column] = dot(weights, values);
  }
  return entry;
}

static LogicalResult evaluatePoolBlocks(PoolBlocksOp op, Frame &frame) {
  const Tensor &bias = frame[op.getBias()];
  const Batch &batch = frame.batch(op.getBatch());
  Tensor result({batch.tokens(), widthOf(op.getType())});
  for (int64_t token = 0; token < batch.tokens(); ++token) {
    auto rows = rowsUpTo(op, op.getCacheAttr(), batch, token, frame);
    if (failed(rows))
      return failure();
    if ((batch.positionOf(token) + 1) % op.getBlockSize() == 0)
      llvm::copy(poolBlock(op, **rows, bias, batch.positionOf(token)), result.row(token).begin());
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

/// Ties go to the lowest position.
static LogicalResult evaluateSelectPositions(SelectPositionsOp op, Frame &frame) {
  const Tensor &query = frame[op.getQuery()], &weights = frame[op.getWeights()];
  const Batch &batch = frame.batch(op.getBatch());
  Tensor result = frame.rowsFor(op.getPositions(), op.getQuery());
  int64_t width = query.width() / weights.width();
  for (int64_t token = 0; token < batch.tokens(); ++token) {
    auto keys = rowsUpTo(op, op.getCacheAttr(), batch, token, frame);
    if (failed(keys))
      return failure();
    std::vector<double> scores(visibleRows(op, op.getCacheAttr(), batch, token));
    for (size_t p = 0; p < scores.size(); ++p)
      for (int64_t head = 0; head < weights.width(); ++head)
        scores[p] += weights.row(token)[head] * std::max(0.0, dot(query.row(token).subspan(head * width, width), (**keys)[p]));
    std::vector<int64_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    llvm::sort(order, [&](int64_t a, int64_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
    order.resize(std::min(order.size(), result.row(token).size()));
    llvm::sort(order);
    llvm::fill(result.row(token), -1);
    llvm::copy(order, result.row(token).begin());
  }
  frame.set(op.getPositions(), std::move(result));
  return success();
}

/// The positions among which a token chooses by attention: those of its list, or all up to its own.
template <typename LatentOp> static std::vector<int64_t> positionsOf(LatentOp op, const Batch &batch, int64_t token, Frame &frame) {
  std::vector<int64_t> positions;
  if (const Tensor *lists = frame.optional(op.getPositions())) {
    for (double position : lists->row(token))
      if (position >= 0 && position <= double(batch.positionOf(token)))
        positions.push_back(int64_t(position));
    return positions;
  }
  positions.resize(batch.positionOf(token) + 1);
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

/// The sizes that both forms of latent attention share.
struct LatentShape {
  int64_t heads, nope, latent, value, pe;
  LatentShape(const Tensor &keyUp, const Tensor &valueUp, const Tensor &query)
      : heads(keyUp.shape[0]), nope(keyUp.shape[1]), latent(keyUp.shape[2]), value(valueUp.shape[1]),
        pe(query.width() / heads - nope) {}
};

/// As the model writes it: every cached latent is expanded to a key and a value of each head.
static LogicalResult evaluateLatentAttention(LatentAttentionOp op, Frame &frame) {
  if (!op.getBatch())
    return evaluateRowAttention(op, frame);
  const Tensor &query = frame[op.getQuery()], &keyUp = frame[op.getKeyUp()], &valueUp = frame[op.getValueUp()];
  const Batch &batch = frame.batch(op.getBatch());
  Compute compute = op.getCompute();
  LatentShape shape(keyUp, valueUp, query);
  double scale = op.getScale().convertToDouble();
  Tensor result = frame.rowsFor(op.getResult(), op.getQuery());
  int64_t end = 0;
  for (const Sequence &sequence : batch.sequences()) {
    int64_t begin = end;
    end += sequence.length;
    if (begin == end)
      continue;
    auto rows = rowsUpTo(op, op.getCacheAttr(), batch, end - 1, frame);
    if (failed(rows))
      return failure();
    for (int64_t head = 0; head < shape.heads; ++head) {
      std::vector<std::vector<double>> keys, values;
      for (int64_t p = 0; p < sequence.past + sequence.length; ++p) {
        std::vector<double> c = part((**rows)[p], 0, shape.latent, compute), k = product(Matrix(keyUp, head), c);
        llvm::append_range(k, std::span((**rows)[p]).subspan(shape.latent));
        keys.push_back(entering(k, compute));
        values.push_back(entering(product(Matrix(valueUp, head), c), compute));
      }
      for (int64_t token = begin; token < end; ++token) {
        int64_t width = shape.nope + shape.pe;
        std::vector<double> q = entering(query.row(token).subspan(head * width, width), compute), scores;
        std::vector<int64_t> positions = positionsOf(op, batch, token, frame);
        for (int64_t p : positions)
          scores.push_back(scale * dot(q, keys[p]));
        softmax(scores, std::nullopt);
        scores = entering(scores, compute);
        std::span<double> o = result.row(token).subspan(head * shape.value, shape.value);
        for (auto [p, score] : llvm::zip_equal(positions, scores))
          for (int64_t i = 0; i < shape.value; ++i)
            o[i] += score * values[p][i];
      }
    }
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

std::vector<double> moec::evaluator::transposedProduct(const Matrix &matrix, std::span<const double> vector) {
  std::vector<double> result(matrix.columns);
  for (int64_t i = 0; i < matrix.rows; ++i)
    for (int64_t j = 0; j < matrix.columns; ++j)
      result[j] += vector[i] * matrix.row(i)[j];
  return result;
}

/// Re-associated: the query is brought into the latent space, and the mean of the latents out of it.
static LogicalResult evaluateAbsorbedAttention(AbsorbedAttentionOp op, Frame &frame) {
  if (!op.getBatch())
    return evaluateRowAttention(op, frame);
  const Tensor &query = frame[op.getQuery()], &keyUp = frame[op.getKeyUp()], &valueUp = frame[op.getValueUp()];
  const Batch &batch = frame.batch(op.getBatch());
  Compute compute = op.getCompute();
  LatentShape shape(keyUp, valueUp, query);
  double scale = op.getScale().convertToDouble();
  Tensor result = frame.rowsFor(op.getResult(), op.getQuery());
  for (int64_t token = 0; token < batch.tokens(); ++token) {
    auto rows = rowsUpTo(op, op.getCacheAttr(), batch, token, frame);
    if (failed(rows))
      return failure();
    std::vector<int64_t> positions = positionsOf(op, batch, token, frame);
    for (int64_t head = 0; head < shape.heads; ++head) {
      std::vector<double> q = entering(query.row(token).subspan(head * (shape.nope + shape.pe), shape.nope + shape.pe), compute);
      std::span<const double> nope = std::span(q).first(shape.nope), pe = std::span(q).subspan(shape.nope);
      std::vector<double> latentQuery = entering(transposedProduct(Matrix(keyUp, head), nope), compute), scores;
      for (int64_t p : positions)
        scores.push_back(scale * (dot(latentQuery, part((**rows)[p], 0, shape.latent, compute)) +
                                  dot(pe, part((**rows)[p], shape.latent, shape.pe, compute))));
      softmax(scores, std::nullopt);
      scores = entering(scores, compute);
      std::vector<double> mean(shape.latent);
      for (auto [p, score] : llvm::zip_equal(positions, scores)) {
        std::vector<double> c = part((**rows)[p], 0, shape.latent, compute);
        for (int64_t i = 0; i < shape.latent; ++i)
          mean[i] += score * c[i];
      }
      llvm::copy(product(Matrix(valueUp, head), entering(mean, compute)), result.row(token).begin() + head * shape.value);
    }
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

void moec::evaluator::populateAttentionOps(OpTable &table) {
  table.add(evaluateAttention);
  table.add(evaluateSelectPositions);
  table.add(evaluatePoolBlocks);
  table.add(evaluateLatentAttention);
  table.add(evaluateAbsorbedAttention);
}
