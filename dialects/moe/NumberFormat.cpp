// Weights that are stored numbers and scales: what fits together, what two have in common, what they take.
#include "dialects/moe/NumberFormat.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

Type moec::moe::dequantizedType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(tensor.clone(Float32Type::get(type.getContext()))) : type;
}

static int64_t bytesOf(Value weight) { return typeOf(weight).getNumElements() * typeOf(weight).getElementTypeBitWidth() / 8; }

int64_t moec::moe::storedBytes(Value weight) {
  auto dequantize = weight.getDefiningOp<DequantizeOp>();
  if (!dequantize)
    return bytesOf(weight);
  int64_t bytes = 0;
  for (Value part : dequantize->getOperands())
    bytes += bytesOf(part);
  return bytes;
}

bool moec::moe::isStoredAlike(Value a, Value b) {
  auto elementOf = [](Value value) { return typeOf(value).getElementType(); };
  auto first = a.getDefiningOp<DequantizeOp>(), second = b.getDefiningOp<DequantizeOp>();
  if (!first || !second)
    return !first && !second && elementOf(a) == elementOf(b);
  return elementOf(first.getValues()) == elementOf(second.getValues()) &&
         elementOf(first.getScales()) == elementOf(second.getScales()) && bool(first.getZeros()) == bool(second.getZeros()) &&
         first.getFormat().getColumns() == second.getFormat().getColumns() &&
         first.getFormat().getZeroPoint() == second.getFormat().getZeroPoint();
}

/// The shapes that the scales of values of `shape` may have.
static SmallVector<SmallVector<int64_t>, 2> gridsOf(NumberFormatAttr format, ArrayRef<int64_t> shape) {
  int64_t rows = format.getTensorRows() ? format.getTensorRows() : shape.drop_back().back();
  auto blocks = [&](int64_t count) { return int64_t(llvm::divideCeil(count, format.getRows())); };
  int64_t columns = llvm::divideCeil(shape.back(), format.getColumns());
  if (shape.size() == 2)
    return {{blocks(rows), columns}};
  return {{shape[0], blocks(rows), columns}, {blocks(shape[0] * rows), columns}};
}

/// Whether a cut of so many rows, if it is one, lies within its tensor.
static bool isWithinTensor(NumberFormatAttr format, ArrayRef<int64_t> shape) {
  return !format.getTensorRows() || shape.drop_back().back() <= format.getTensorRows() - format.getFirstRow();
}

/// Whether zeros are such as blocks with `scales` of `values` may have.
static bool fitZeros(RankedTensorType values, RankedTensorType scales, RankedTensorType zeros) {
  return values.getElementType().isUnsignedInteger() && zeros.getElementType().isUnsignedInteger(8) &&
         zeros.getShape() == scales.getShape();
}

bool moec::moe::fitsNumberFormat(NumberFormatAttr format, RankedTensorType values, RankedTensorType scales, RankedTensorType global,
                                 RankedTensorType zeros) {
  ArrayRef<int64_t> shape = values.getShape();
  int64_t globals = shape.size() == 3 ? shape[0] : 1;
  return isWithinTensor(format, shape) && llvm::is_contained(gridsOf(format, shape), scales.getShape()) &&
         (!global || global.getShape() == ArrayRef(globals)) && (!zeros || fitZeros(values, scales, zeros));
}

int64_t moec::moe::zeroPointOf(NumberFormatAttr format, int64_t zero, Type element) {
  return (zero + format.getZeroPoint()) % (int64_t(1) << element.getIntOrFloatBitWidth());
}

int64_t moec::moe::scaleRowOf(NumberFormatAttr format, int64_t entry, int64_t row, int64_t rows, ArrayRef<int64_t> scales,
                              bool isStack) {
  int64_t inTensor = format.getFirstRow() + row, tensorRows = format.getTensorRows() ? format.getTensorRows() : rows;
  if (isStack && scales.size() == 3) // each entry has scales of its own
    return entry * scales[1] + inTensor / format.getRows();
  return (entry * tensorRows + inTensor) / format.getRows();
}

LogicalResult DequantizeOp::verify() {
  RankedTensorType values = typeOf(getValues()), scales = typeOf(getScales());
  NumberFormatAttr format = getFormat();
  ArrayRef<int64_t> shape = values.getShape();
  if (shape.size() != 2 && shape.size() != 3)
    return emitOpError() << "C1: expected values of rank 2 or 3, got " << values;
  if (!isWithinTensor(format, shape))
    return emitOpError() << "C6: expected a cut within " << format.getTensorRows() << " rows, got " << shape.drop_back().back()
                         << " from row " << format.getFirstRow();
  auto grids = gridsOf(format, shape);
  if (!llvm::is_contained(grids, scales.getShape())) {
    auto error = emitOpError() << "C2: expected scales [";
    llvm::interleaveComma(grids.front(), error);
    if (grids.size() > 1) {
      error << "] or [";
      llvm::interleaveComma(grids.back(), error);
    }
    return error << "], got " << scales;
  }
  for (Value scale : {getScales(), getGlobal()})
    if (scale && !isa<FloatType>(typeOf(scale).getElementType()))
      return emitOpError() << "C3: expected scales of floats, got " << scale.getType();
  if (format.getZeroPoint() && !values.getElementType().isInteger())
    return emitOpError() << "C4: expected no zero point for " << values << ", got " << format.getZeroPoint();
  if (format.getDivides() && !getGlobal())
    return emitOpError() << "C5: expected a global scale that divides";
  int64_t globals = shape.size() == 3 ? shape[0] : 1;
  if (getGlobal() && typeOf(getGlobal()).getShape() != ArrayRef(globals))
    return emitOpError() << "C5: expected a global scale [" << globals << "], got " << getGlobal().getType();
  if (getZeros() && !fitZeros(values, scales, typeOf(getZeros())))
    return emitOpError() << "C7: expected zeros of ui8 shaped like the scales beside unsigned integers, got "
                         << getZeros().getType() << " beside " << values;
  return success();
}
