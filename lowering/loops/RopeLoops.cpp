// Rotary position embedding as loops.
#include "lowering/loops/LoopBuilder.h"
#include "lowering/loops/Loops.h"

#include "dialects/moe/MoE.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::moe;

namespace {

struct RopeLoops : OpRewritePattern<RopeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(RopeOp op, PatternRewriter &rewriter) const override {
    if (op.getBatch())
      return rewriter.notifyMatchFailure(op, "turns by the positions of a batch");
    LoopBuilder b(op.getLoc(), rewriter);
    Value x = op.getInput();
    Number rows = b.sizeOf(x, 0);
    b.require((b.sizeOf(op.getCos(), 0) == rows) & (b.sizeOf(op.getSin(), 0) == rows),
              "moe.rope: expected cosines and sines of every row");
    rewriter.replaceOp(op, b.map(b.empty(rows, {widthOf(op.getType())}, b.getF32Type()), {{x, {0, 1}}}, [&](ArrayRef<Number> e) {
      LoopBuilder inner(op.getLoc(), *e[0].builder);
      return turned(inner, op, e[0]);
    }));
    return success();
  }

  /// The element where the loops are, whose value before is `own`.
  static Number turned(LoopBuilder &b, RopeOp op, Number own) {
    RotaryAttr rotary = op.getRotary();
    int64_t pairs = rotary.getDims() / 2;
    bool half = rotary.getLayout() == RotaryLayout::Half;
    Number row = b.loopIndex(0), column = b.loopIndex(1);
    Number place = column % int64_t(op.getHeadDim()) - rotary.getOffset();
    Number isTurned = (b.index(0) <= place) & (place < rotary.getDims());
    Number inSlice = select(isTurned, place, b.index(0));
    Number pair = half ? inSlice % pairs : inSlice / 2;
    Number isFirst = half ? inSlice < pairs : inSlice % 2 == 0;
    Number distance = b.index(half ? pairs : 1);
    // What is not turned is its own partner, so that nothing is read that is not there.
    Number partner = select(isTurned, select(isFirst, column + distance, column - distance), column);
    Number other = b.at(op.getInput(), {row, partner});
    double multiplier = rotary.getMultiplier();
    Number cos = b.at(op.getCos(), {row, pair}) * b.real(multiplier);
    Number sin = b.at(op.getSin(), {row, pair}) * b.real(rotary.getInverse() ? -multiplier : multiplier);
    return select(isTurned, own * cos + select(isFirst, -other, other) * sin, own);
  }
};

} // namespace

void moec::lowering::populateRopeLoops(RewritePatternSet &patterns) { patterns.add<RopeLoops>(patterns.getContext()); }
