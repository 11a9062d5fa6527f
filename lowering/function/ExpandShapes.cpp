// Shapes that are expanded by several dimensions that only a run knows.
#include "lowering/function/ExpandShapes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

static void expand(memref::ExpandShapeOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  MemRefType type = op.getResultType();
  auto source = memref::ExtractStridedMetadataOp::create(b, op.getSrc());
  auto [strides, offset] = type.getStridesAndOffset();
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  SmallVector<OpFoldResult> mixedStrides(sizes.size(), b.getIndexAttr(1)); // of a scalar there are no groups
  for (auto [group, dims] : llvm::enumerate(op.getReassociationIndices())) {
    Value stride = source.getStrides()[group];
    for (int64_t dim : llvm::reverse(dims)) {
      size_t at = size_t(dim);
      mixedStrides[at] = ShapedType::isDynamic(strides[at]) ? OpFoldResult(stride) : b.getIndexAttr(strides[at]);
      stride = arith::MulIOp::create(b, stride, getValueOrCreateConstantIndexOp(b, op.getLoc(), sizes[at]));
    }
  }
  OpFoldResult start = ShapedType::isDynamic(offset) ? OpFoldResult(source.getOffset()) : b.getIndexAttr(offset);
  op.replaceAllUsesWith(memref::ReinterpretCastOp::create(b, type, source.getBaseBuffer(), start, sizes, mixedStrides).getResult());
  op.erase();
}

void moec::lowering::expandShapes(ModuleOp module) { module.walk(expand); }
