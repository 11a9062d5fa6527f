// Evaluation of moe.dequantize: when an op uses its result, and exactly.
#include "dialects/moe/NumberFormat.h"
#include "passes/evaluator/Frame.h"

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

Tensor moec::evaluator::dequantize(NumberFormatAttr format, const Tensor &values, const Tensor &scales, const Tensor *global) {
  Tensor result(values.shape);
  int64_t rows = values.shape[values.shape.size() - 2];
  for (int64_t row = 0; row < values.rows(); ++row) {
    int64_t entry = row / rows;
    int64_t scaleRow = scaleRowOf(format, entry, row % rows, rows, scales.shape, values.shape.size() == 3);
    double overall = global ? global->elements[global->elements.size() == 1 ? 0 : size_t(entry)] : 1;
    for (int64_t column = 0; column < values.width(); ++column) {
      double scale = scales.row(scaleRow)[column / format.getColumns()];
      double scaled = (values.row(row)[column] - double(format.getZeroPoint())) * scale;
      result.row(row)[column] = format.getDivides() ? scaled / overall : scaled * overall;
    }
  }
  return result;
}

static LogicalResult evaluateDequantize(DequantizeOp op, Frame &frame) {
  SmallVector<Frame::MakeWeight> makers;
  for (Value part : op->getOperands())
    makers.push_back(frame.makerOf(part));
  frame.refer(op.getResult(), [op, makers](Operation *user) mutable -> FailureOr<std::shared_ptr<const Tensor>> {
    SmallVector<std::shared_ptr<const Tensor>> parts;
    for (const Frame::MakeWeight &make : makers) {
      FailureOr<std::shared_ptr<const Tensor>> part = make(user);
      if (failed(part))
        return failure();
      parts.push_back(*part);
    }
    return std::make_shared<const Tensor>(
        dequantize(op.getFormat(), *parts[0], *parts[1], parts.size() > 2 ? parts[2].get() : nullptr));
  });
  return success();
}

void moec::evaluator::populateNumberFormat(OpTable &table) { table.add(evaluateDequantize); }
