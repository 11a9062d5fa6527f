// Embeddings and columns as loops.
#include "lowering/loops/LoopBuilder.h"
#include "lowering/loops/Loops.h"

#include "dialects/moe/MoE.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::moe;

namespace {

struct EmbedLoops : OpRewritePattern<EmbedOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(EmbedOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    auto table = cast<RankedTensorType>(op.getTable().getType());
    if (widthOf(op.getType()) != table.getDimSize(1))
      return rewriter.notifyMatchFailure(op, "repeats rows");
    Number rows = b.sizeOf(op.getIds(), 0);
    Value y = b.empty(rows, {widthOf(op.getType())}, b.getF32Type());
    y = b.forRange(rows, y, [&](Number row, ValueRange sofar) -> LoopBuilder::Values {
      Number id = b.number(arith::IndexCastOp::create(b, b.getIndexType(), b.at(op.getIds(), {row})));
      Value known = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, id, b.index(table.getDimSize(0)));
      cf::AssertOp::create(b, known, "moe.embed: expected ids below " + std::to_string(table.getDimSize(0)) + ", got another");
      Value embedded = b.map(b.empty({widthOf(op.getType())}, b.getF32Type()), {{b.entry(op.getTable(), id), {0}}},
                             [](ArrayRef<Number> e) { return realOf(e[0]); });
      return {b.putEntry(embedded, sofar[0], row)};
    })[0];
    rewriter.replaceOp(op, y);
    return success();
  }
};

struct ColumnsLoops : OpRewritePattern<ColumnsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ColumnsOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    SmallVector<OpFoldResult> offsets{b.getIndexAttr(0), b.getIndexAttr(int64_t(op.getOffset()))};
    SmallVector<OpFoldResult> sizes{b.sizeOf(op.getInput(), 0).value, b.getIndexAttr(widthOf(op.getType()))};
    SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
    rewriter.replaceOp(
        op, tensor::ExtractSliceOp::create(b, cast<RankedTensorType>(op.getType()), op.getInput(), offsets, sizes, strides)
                .getResult());
    return success();
  }
};

} // namespace

void moec::lowering::populateModelLoops(RewritePatternSet &patterns) {
  patterns.add<ColumnsLoops, EmbedLoops>(patterns.getContext());
}
