// Experts as loops: every token through each expert that it chose.
#include "lowering/kernel/Functions.h"
#include "lowering/loops/LoopBuilder.h"
#include "lowering/loops/Loops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::moe;

namespace {

struct ExpertLoops : OpRewritePattern<ExpertsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ExpertsOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    int64_t width = widthOf(op.getType());
    Number rows = b.sizeOf(op.getInput(), 0), slots = b.index(widthOf(op.getIds().getType()));
    Value y = b.empty(rows, {width}, b.getF32Type());
    y = b.forRange(rows, y, [&](Number row, ValueRange sofar) -> LoopBuilder::Values {
      Value sum = b.fill(b.empty({width}, b.getF32Type()), 0);
      Value x = b.entry(op.getInput(), row);
      sum = b.forRange(slots, sum, [&](Number slot, ValueRange sums) -> LoopBuilder::Values {
        return {addExpert(b, op, x, expertAt(b, op, row, slot), b.at(op.getWeights(), {row, slot}), sums[0])};
      })[0];
      return {b.putEntry(sum, sofar[0], row)};
    })[0];
    rewriter.replaceOp(op, y);
    return success();
  }

  /// The number of the expert in `slot` of `row`, of which it is asserted that there is one.
  static Number expertAt(LoopBuilder &b, ExpertsOp op, Number row, Number slot) {
    Number id = b.number(arith::IndexCastOp::create(b, b.getIndexType(), b.at(op.getIds(), {row, slot})));
    Number experts = b.index(cast<RankedTensorType>(op.getGate().getType()).getDimSize(0));
    Value known = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, id, experts);
    cf::AssertOp::create(b, known, "moe.experts: expected the number of an expert, got one that there is not");
    return id;
  }

  /// `sum` and what the expert makes of `x`, weighted.
  static Value addExpert(LoopBuilder &b, ExpertsOp op, Value x, Number expert, Number weight, Value sum) {
    int64_t intermediate = widthOf(op.getDown().getType()), width = widthOf(op.getType());
    auto vector = [&](int64_t size) { return b.empty({size}, b.getF32Type()); };
    if (op.getWeightOnInput())
      x = b.map(vector(widthOf(x.getType())), {{x, {0}}}, [&](ArrayRef<Number> e) { return e[0] * Number(*e[0].builder, weight); });
    auto multiply = [&](Value by, Value stacked, Value bias, int64_t size) {
      Value initial = b.fill(vector(size), 0);
      if (bias)
        initial = b.map(vector(size), {{b.entry(bias, expert), {0}}}, [](ArrayRef<Number> e) { return realOf(e[0]); });
      return b.product(by, b.entry(stacked, expert), initial);
    };
    Value gate = multiply(x, op.getGate(), op.getGateBias(), intermediate);
    Value up = multiply(x, op.getUp(), op.getUpBias(), intermediate);
    Value hidden = b.map(vector(intermediate), {{gate, {0}}, {up, {0}}},
                         [&](ArrayRef<Number> e) { return activate(op.getActivation(), e[0], e[1]); });
    Value down = multiply(hidden, op.getDown(), op.getDownBias(), width);
    return b.reduce({sum, {0}}, {{down, {0}}}, [&](ArrayRef<Number> e) {
      return e[1] + (op.getWeightOnInput() ? e[0] : e[0] * Number(*e[0].builder, weight));
    });
  }
};

} // namespace

void moec::lowering::populateExpertLoops(RewritePatternSet &patterns) { patterns.add<ExpertLoops>(patterns.getContext()); }
