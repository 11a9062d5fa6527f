// Evaluation of moe.dequantize: when an op uses its result, and exactly.
#include "dialects/moe/NumberFormat.h"
#include "dialects/moe/Requantization.h"
#include "passes/evaluator/Frame.h"

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

Tensor moec::evaluator::dequantize(NumberFormatAttr format, Type element, const StoredParts &parts) {
  const auto &[values, scales, global, zeros, groups] = parts;
  Tensor result(values.shape);
  int64_t rows = values.shape[values.shape.size() - 2];
  for (int64_t row = 0; row < values.rows(); ++row) {
    int64_t entry = row / rows;
    int64_t scaleRow = scaleRowOf(format, entry, row % rows, rows, scales.shape, values.shape.size() == 3);
    double overall = global ? global->elements[global->elements.size() == 1 ? 0 : size_t(entry)] : 1;
    llvm::ArrayRef<double> listed = groups ? groupsOfEntry(groups->elements, entry, values.width()) : llvm::ArrayRef<double>();
    for (int64_t column = 0; column < values.width(); ++column) {
      int64_t block = scaleColumnOf(format, listed, column), zero = format.getZeroPoint();
      if (zeros)
        zero = zeroPointOf(format, int64_t(zeros->row(scaleRow)[block]), element);
      double scaled = (values.row(row)[column] - double(zero)) * scales.row(scaleRow)[block];
      result.row(row)[column] = format.getDivides() ? scaled / overall : scaled * overall;
    }
  }
  return result;
}

static LogicalResult evaluateDequantize(DequantizeOp op, Frame &frame) {
  SmallVector<Frame::MakeWeight> makers; // none for what is not there
  for (Value part : {op.getValues(), op.getScales(), op.getGlobal(), op.getZeros()})
    makers.push_back(part ? frame.makerOf(part) : Frame::MakeWeight());
  frame.refer(op.getResult(), [op, makers](Operation *user) mutable -> FailureOr<std::shared_ptr<const Tensor>> {
    SmallVector<std::shared_ptr<const Tensor>> parts;
    for (const Frame::MakeWeight &make : makers) {
      FailureOr<std::shared_ptr<const Tensor>> part = std::shared_ptr<const Tensor>();
      if (make)
        part = make(user);
      if (failed(part))
        return failure();
      parts.push_back(*part);
    }
    Type element = cast<RankedTensorType>(op.getValues().getType()).getElementType();
    return std::make_shared<const Tensor>(
        dequantize(op.getFormat(), element, {*parts[0], *parts[1], parts[2].get(), parts[3].get()}));
  });
  return success();
}

void moec::evaluator::populateNumberFormat(OpTable &table) { table.add(evaluateDequantize); }
