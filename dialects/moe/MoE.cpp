// The moe dialect and its types.
#include "dialects/moe/MoE.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::moe;

#include "dialects/moe/MoEDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/moe/MoETypes.cpp.inc"

static RankedTensorType raggedOfRank(Type type, int64_t rank) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() != rank || !tensor.isDynamicDim(0) || tensor.getEncoding())
    return {};
  for (int64_t dim : tensor.getShape().drop_front())
    if (ShapedType::isDynamic(dim) || dim <= 0)
      return {};
  return tensor;
}

bool moec::moe::isRows(Type type) {
  auto tensor = raggedOfRank(type, 2);
  return tensor && tensor.getElementType().isF32();
}

bool moec::moe::isTokenIds(Type type) {
  auto tensor = raggedOfRank(type, 1);
  return tensor && tensor.getElementType().isInteger(32);
}

bool moec::moe::isExpertIds(Type type) {
  auto tensor = raggedOfRank(type, 2);
  return tensor && tensor.getElementType().isInteger(32);
}

bool moec::moe::isWeight(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getRank() > 0 && tensor.getNumElements() > 0 &&
         (isa<FloatType>(tensor.getElementType()) || tensor.getElementType().isSignlessInteger());
}

int64_t moec::moe::widthOf(Type type) { return cast<RankedTensorType>(type).getShape().back(); }

void MoEDialect::initialize() {
  registerAttributes();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/moe/MoETypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/moe/MoEOps.cpp.inc"
      >();
}
