// Numbers narrower than a byte, and integers without signs, as functions find them in memory: as bytes.
#include "lowering/loops/StoredBytes.h"

#include "mlir/IR/Builders.h"

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
