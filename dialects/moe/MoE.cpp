// The moe dialect and its types.
#include "dialects/moe/MoE.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace moec::moe;

#include "dialects/moe/MoEDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/moe/MoETypes.cpp.inc"

/// Dimensions are below 2^31, so that a product of two and a sum of a few such products fit an int64_t.
static bool isDimension(int64_t dim) { return dim > 0 && dim <= std::numeric_limits<int32_t>::max(); }

static RankedTensorType raggedOfRank(Type type, int64_t rank) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() != rank || !tensor.isDynamicDim(0) || tensor.getEncoding() ||
      !llvm::all_of(tensor.getShape().drop_front(), isDimension))
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

RankedTensorType moec::moe::samplingType(MLIRContext *context) {
  return RankedTensorType::get({ShapedType::kDynamic, samplingWords}, IntegerType::get(context, 32));
}

bool moec::moe::isSampling(Type type) { return type == samplingType(type.getContext()); }

bool moec::moe::isExpertIds(Type type) {
  auto tensor = raggedOfRank(type, 2);
  return tensor && tensor.getElementType().isInteger(32);
}

bool moec::moe::isCounts(Type type) {
  auto tensor = raggedOfRank(type, 1);
  return tensor && tensor.getElementType().isInteger(64);
}

bool moec::moe::isScoreBias(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 4 && tensor.getElementType().isF32();
}

bool moec::moe::isCache(Type type) {
  auto tensor = raggedOfRank(type, 2);
  return tensor && (tensor.getElementType().isF32() || tensor.getElementType().isBF16());
}

bool moec::moe::isWeight(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() == 0 || tensor.getEncoding() || !tensor.getElementType().isIntOrFloat())
    return false;
  if (tensor.getElementType().isSignedInteger() || tensor.getElementTypeBitWidth() > 64 ||
      tensor.getShape().back() % 8 * tensor.getElementTypeBitWidth() % 8)
    return false;
  int64_t bits = tensor.getElementTypeBitWidth();
  return llvm::all_of(tensor.getShape(), [&](int64_t dim) { return isDimension(dim) && !llvm::MulOverflow(bits, dim, bits); });
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
