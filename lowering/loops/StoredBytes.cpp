// Numbers narrower than a byte, and integers without signs, as functions find them in memory: as bytes.
#include "lowering/loops/StoredBytes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace moec;

bool lowering::isStoredAsBytes(Type element) {
  return element.isUnsignedInteger(8) || (element.getIntOrFloatBitWidth() < 8 && !element.isInteger(1));
}

void lowering::bindStoredBytes(func::FuncOp function) {
  auto builder = OpBuilder::atBlockBegin(&function.getBody().front());
  for (BlockArgument argument : function.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (!isStoredAsBytes(type.getElementType()))
      continue;
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = shape.back() * type.getElementTypeBitWidth() / 8;
    argument.setType(RankedTensorType::get(shape, builder.getI8Type()));
    auto cast = UnrealizedConversionCastOp::create(builder, argument.getLoc(), TypeRange(type), ValueRange(argument));
    argument.replaceAllUsesExcept(cast.getResult(0), cast);
  }
  function.setFunctionType(builder.getFunctionType(function.getBody().getArgumentTypes(), function.getResultTypes()));
}

Value lowering::bytesBehind(Value value) {
  auto cast = value.getDefiningOp<UnrealizedConversionCastOp>();
  return cast ? cast.getInputs().front() : value;
}

/// The elements of `type` that lie in `bytes`, several to a byte, the first in its lowest bits.
static Value unpacked(OpBuilder &builder, Location location, Value bytes, RankedTensorType type) {
  ImplicitLocOpBuilder b(location, builder);
  unsigned bits = type.getElementTypeBitWidth();
  Value each = arith::ConstantIndexOp::create(b, 8 / bits), width = arith::ConstantIndexOp::create(b, bits);
  Value elements = tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  AffineMap map = b.getMultiDimIdentityMap(unsigned(type.getRank()));
  SmallVector<utils::IteratorType> loops(size_t(type.getRank()), utils::IteratorType::parallel);
  auto body = [&](OpBuilder &inner, Location, ValueRange) {
    ImplicitLocOpBuilder n(location, inner);
    SmallVector<Value> place;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      place.push_back(linalg::IndexOp::create(n, dim));
    Value bit = arith::MulIOp::create(n, arith::RemUIOp::create(n, place.back(), each), width);
    place.back() = arith::DivUIOp::create(n, place.back(), each);
    Value byte = tensor::ExtractOp::create(n, bytes, place);
    Value shifted = arith::ShRUIOp::create(n, byte, arith::IndexCastOp::create(n, n.getI8Type(), bit));
    Value element = arith::TruncIOp::create(n, n.getIntegerType(bits), shifted);
    if (isa<FloatType>(type.getElementType()))
      element = arith::BitcastOp::create(n, type.getElementType(), element);
    linalg::YieldOp::create(n, element);
  };
  return linalg::GenericOp::create(b, TypeRange(type), ValueRange(), elements, ArrayRef(map), loops, body).getResult(0);
}

void lowering::unpackStoredBytes(func::FuncOp function) {
  for (auto cast : llvm::make_early_inc_range(function.getBody().front().getOps<UnrealizedConversionCastOp>())) {
    auto type = dyn_cast<RankedTensorType>(cast.getResult(0).getType());
    if (cast.use_empty() || !type || type.getElementTypeBitWidth() >= 8 || 8 % type.getElementTypeBitWidth())
      continue;
    OpBuilder builder(cast);
    cast.getResult(0).replaceAllUsesWith(unpacked(builder, cast.getLoc(), cast.getInputs().front(), type));
    cast.erase();
  }
}
