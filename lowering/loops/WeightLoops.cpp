// Quantised weights as loops: every element of the weight that stored numbers and scales stand for.
#include "dialects/moe/MoE.h"
#include "lowering/kernel/NumberFormat.h"
#include "lowering/loops/LoopBuilder.h"
#include "lowering/loops/Loops.h"
#include "lowering/loops/StoredBytes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::moe;

namespace {

Number elementAt(Value tensor, ArrayRef<Number> indices) {
  ImplicitLocOpBuilder &b = *indices.front().builder;
  return {b, tensor::ExtractOp::create(b, tensor, SmallVector<Value>(indices))};
}

/// The value of a four-bit float: its sign, two bits of exponent and one of mantissa.
Number fromE2M1(Number code) {
  Number magnitude = code & code.like(int64_t(7)), mantissa = (magnitude & code.like(int64_t(1))).toReal();
  Number exponent = magnitude >> 1, one = mantissa.like(1.0), half = mantissa.like(0.5);
  Number power = select(exponent == 1, one, select(exponent == 2, one + one, mantissa.like(4.0)));
  Number real = select(exponent == 0, mantissa * half, (one + mantissa * half) * power);
  return select(code >= 8, -real, real);
}

/// The stored number of `element` at `indices`, of a tensor that holds it as it is or, with its neighbours, as bytes.
Number numberAt(Value stored, Type element, SmallVector<Number> indices) {
  ImplicitLocOpBuilder &b = *indices.front().builder;
  Type i32 = b.getI32Type();
  if (element.getIntOrFloatBitWidth() == 8 && element.isInteger()) {
    Number byte = elementAt(stored, indices);
    return (element.isUnsignedInteger() ? byte.toUnsigned(i32) : byte.toInteger(i32)).toReal();
  }
  if (element.getIntOrFloatBitWidth() != 4)
    return element.isInteger() ? elementAt(stored, indices).toInteger(i32).toReal() : realOf(elementAt(stored, indices));
  Number column = indices.back(), isHigh = column % 2 == 1;
  indices.back() = column / 2;
  Number byte = elementAt(stored, indices).toUnsigned(i32), code = select(isHigh, byte >> 4, byte & byte.like(int64_t(15)));
  if (isa<FloatType>(element))
    return fromE2M1(code);
  return (element.isUnsignedInteger() ? code : (code ^ code.like(int64_t(8))) - int64_t(8)).toReal();
}

struct DequantizeLoops : OpRewritePattern<DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DequantizeOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    auto type = cast<RankedTensorType>(op.getType());
    Type element = cast<RankedTensorType>(op.getValues().getType()).getElementType();
    if (unsigned bits = element.getIntOrFloatBitWidth(); bits != 4 && bits < 8)
      return failure();
    rewriter.replaceOp(op, b.map(b.empty(type.getShape(), b.getF32Type()), {}, [&](ArrayRef<Number> e) {
      ImplicitLocOpBuilder &inner = *e[0].builder;
      SmallVector<Number> place;
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        place.emplace_back(inner, linalg::IndexOp::create(inner, dim));
      Number stored = numberAt(bytesBehind(op.getValues()), element, place);
      Number scaled = (stored - zeroAt(op, element, place)) * realOf(ofBlock(op, op.getScales(), place));
      if (!op.getGlobal())
        return scaled;
      bool perEntry = cast<RankedTensorType>(op.getGlobal().getType()).getDimSize(0) > 1;
      Number zero = place[0] - place[0], overall = realOf(elementAt(op.getGlobal(), {perEntry ? place[0] : zero}));
      return op.getFormat().getDivides() ? scaled / overall : scaled * overall;
    }));
    return success();
  }

  /// What is subtracted from the number at `place`.
  static Number zeroAt(DequantizeOp op, Type element, ArrayRef<Number> place) {
    ImplicitLocOpBuilder &b = *place[0].builder;
    int64_t zeroPoint = op.getFormat().getZeroPoint();
    if (op.getZeros())
      return zeroPoints(ofBlock(op, bytesBehind(op.getZeros()), place), zeroPoint, element);
    return {b, arith::ConstantOp::create(b, b.getF32FloatAttr(float(zeroPoint)))};
  }

  /// Of `blocks`, shaped like the scales, the element for the block that the element at `place` is in.
  static Number ofBlock(DequantizeOp op, Value blocks, ArrayRef<Number> place) {
    NumberFormatAttr format = op.getFormat();
    ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getValues().getType()).getShape();
    int64_t rank = int64_t(shape.size()), tensorRows = format.getTensorRows() ? format.getTensorRows() : shape[size_t(rank - 2)];
    Number row = place[size_t(rank - 2)] + format.getFirstRow(), column = place.back() / format.getColumns();
    if (rank == 2)
      return elementAt(blocks, {row / format.getRows(), column});
    if (cast<RankedTensorType>(blocks.getType()).getRank() == 3)
      return elementAt(blocks, {place[0], row / format.getRows(), column});
    return elementAt(blocks, {(place[0] * tensorRows + row) / format.getRows(), column});
  }
};

} // namespace

void moec::lowering::populateWeightLoops(RewritePatternSet &patterns) { patterns.add<DequantizeLoops>(patterns.getContext()); }
