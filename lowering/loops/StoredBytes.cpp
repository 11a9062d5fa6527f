// Numbers narrower than a byte, and integers without signs, as functions find them in memory: as bytes.
#include "lowering/loops/StoredBytes.h"

#include "lowering/loops/LoopBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

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
  LoopBuilder b(location, builder);
  Type element = type.getElementType();
  const int64_t bits = type.getElementTypeBitWidth(), each = 8 / bits;
  return b.map(b.empty(type.getShape(), element), {}, [&](ArrayRef<Number>) {
    SmallVector<Number> place;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      place.push_back(b.loopIndex(dim));
    Number shift = b.number(arith::IndexCastOp::create(b, b.getI8Type(), place.back() % each * bits));
    place.back() = place.back() / each;
    Number code = (b.at(bytes, place) >> shift).toInteger(b.getIntegerType(unsigned(bits)));
    return isa<FloatType>(element) ? code.bitsAs(element) : code;
  });
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
