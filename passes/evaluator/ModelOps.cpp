// Evaluation of the ops in dialects/moe/ModelOps.td.
#include "passes/evaluator/Frame.h"

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

static LogicalResult evaluateGetWeight(GetWeightOp op, Frame &frame) {
  frame.refer(op.getResult(), SymbolTable::lookupNearestSymbolFrom<WeightOp>(op, op.getWeightAttr()));
  return success();
}

static LogicalResult evaluateAppend(AppendOp op, Frame &frame) {
  auto cache = SymbolTable::lookupNearestSymbolFrom<CacheOp>(op, op.getCacheAttr());
  bool bf16 = cast<RankedTensorType>(cache.getType()).getElementType().isBF16();
  int64_t block = int64_t(cache.getBlock());
  const Batch &batch = frame.batch(op.getBatch());
  for (int64_t token = 0; token < batch.tokens(); ++token) {
    if ((batch.positionOf(token) + 1) % block)
      continue;
    std::vector<double> row;
    for (Value value : op.getValues())
      llvm::append_range(row, frame[value].row(token));
    if (bf16)
      llvm::transform(row, row.begin(), roundToBF16);
    Caches::Rows &rows = frame.caches().rows(op.getCache().str(), batch.sequenceOf(token));
    size_t index = batch.positionOf(token) / block;
    if (index > rows.size())
      return op.emitError() << "cache '" << op.getCache() << "' holds " << int64_t(rows.size()) * block << " positions of sequence "
                            << batch.sequenceOf(token) << ", cannot append position " << batch.positionOf(token);
    if (index == rows.size())
      rows.emplace_back();
    rows[index] = std::move(row);
  }
  return success();
}

static LogicalResult evaluateEmbed(EmbedOp op, Frame &frame) {
  const Tensor &ids = frame[op.getIds()], &table = frame[op.getTable()];
  Tensor result({int64_t(ids.elements.size()), widthOf(op.getType())});
  for (int64_t token = 0; token < result.rows(); ++token) {
    double id = ids.elements[token];
    if (id < 0 || id >= double(table.rows()))
      return op.emitError() << "expected token ids below " << table.rows() << ", got " << int64_t(id);
    for (int64_t from = 0; from < result.width(); from += table.width())
      llvm::copy(table.row(int64_t(id)), result.row(token).begin() + from);
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateGatherOutputs(GatherOutputsOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()];
  const std::vector<int64_t> &outputs = frame.batch(op.getBatch()).outputs();
  Tensor result({int64_t(outputs.size()), input.width()});
  for (auto [row, token] : llvm::enumerate(outputs))
    llvm::copy(input.row(token), result.row(row).begin());
  frame.set(op.getResult(), std::move(result));
  return success();
}

static LogicalResult evaluateRowwise(RowwiseOp op, Frame &frame) {
  Block &body = op.getBody().front();
  for (auto [argument, input] : llvm::zip(body.getArguments(), op.getInputs()))
    frame.alias(argument, input);
  if (failed(frame.run(body)))
    return failure();
  for (auto [result, value] : llvm::zip(op.getResults(), body.getTerminator()->getOperands()))
    frame.alias(result, value);
  return success();
}

static LogicalResult evaluateColumns(ColumnsOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()];
  Tensor result = frame.rowsFor(op.getResult(), op.getInput());
  for (int64_t i = 0; i < result.rows(); ++i)
    llvm::copy(input.row(i).subspan(op.getOffset(), result.width()), result.row(i).begin());
  frame.set(op.getResult(), std::move(result));
  return success();
}

void moec::evaluator::populateModelOps(OpTable &table) {
  table.add(evaluateGetWeight);
  table.add(evaluateAppend);
  table.add(evaluateEmbed);
  table.add(evaluateGatherOutputs);
  table.add(evaluateRowwise);
  table.add(evaluateColumns);
}
