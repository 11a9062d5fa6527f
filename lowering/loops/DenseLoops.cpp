// Products, norms and activations as loops.
#include "lowering/kernel/Functions.h"
#include "lowering/loops/LoopBuilder.h"
#include "lowering/loops/Loops.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::moe;

namespace {

Value rowsLike(LoopBuilder &b, Value rows, int64_t width) { return b.empty(b.sizeOf(rows, 0), {width}, b.getF32Type()); }

Value add(LoopBuilder &b, Value x, Value y) {
  return b.map(rowsLike(b, x, widthOf(x.getType())), {{x, {0, 1}}, {y, {0, 1}}}, [](ArrayRef<Number> e) { return e[0] + e[1]; });
}

struct LinearLoops : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    Value initial = b.fill(rowsLike(b, op.getInput(), widthOf(op.getType())), 0);
    Value y = b.product(op.getInput(), op.getWeight(), initial);
    if (Value bias = op.getBias())
      y = b.map(rowsLike(b, y, widthOf(op.getType())), {{y, {0, 1}}, {bias, {1}}},
                [](ArrayRef<Number> e) { return e[0] + realOf(e[1]); });
    rewriter.replaceOp(op, op.getResidual() ? add(b, y, op.getResidual()) : y);
    return success();
  }
};

struct ActivateLoops : OpRewritePattern<ActivateOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ActivateOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, b.map(rowsLike(b, op.getGate(), widthOf(op.getType())), {{op.getGate(), {0, 1}}, {op.getUp(), {0, 1}}},
                                 [&](ArrayRef<Number> e) { return activate(op.getActivation(), e[0], e[1]); }));
    return success();
  }
};

struct GatedMLPLoops : OpRewritePattern<GatedMLPOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatedMLPOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    Value x = op.getInput();
    int64_t intermediate = widthOf(op.getDown().getType());
    auto multiply = [&](Value by, Value matrix, int64_t width) { return b.product(by, matrix, b.fill(rowsLike(b, x, width), 0)); };
    Value gate = multiply(x, op.getGate(), intermediate), up = multiply(x, op.getUp(), intermediate);
    Value hidden = b.map(rowsLike(b, x, intermediate), {{gate, {0, 1}}, {up, {0, 1}}},
                         [&](ArrayRef<Number> e) { return activate(op.getActivation(), e[0], e[1]); });
    Value y = multiply(hidden, op.getDown(), widthOf(op.getType()));
    rewriter.replaceOp(op, op.getResidual() ? add(b, y, op.getResidual()) : y);
    return success();
  }
};

/// Rows cut into groups of `group` columns, of which norms take the sums.
class Groups {
public:
  Groups(LoopBuilder &b, Value rows, int64_t group) : b(b), rows(rows), group(group), count(widthOf(rows.getType()) / group) {
    auto type = RankedTensorType::get({ShapedType::kDynamic, count, group}, b.getF32Type());
    SmallVector<ReassociationIndices> together{{0}, {1, 2}};
    SmallVector<OpFoldResult> sizes{b.sizeOf(rows, 0).value, b.getIndexAttr(count), b.getIndexAttr(group)};
    cut = tensor::ExpandShapeOp::create(b, type, rows, together, sizes);
  }

  /// The sum over each group of what `term` makes of a column (and of the group's `centre`, if there is one).
  Value sum(Value centre, llvm::function_ref<Number(Number, Number)> term) {
    Value zeros = b.fill(b.empty(b.sizeOf(rows, 0), {count}, b.getF32Type()), 0);
    SmallVector<LoopBuilder::Operand> operands{{cut, {0, 1, 2}}};
    if (centre)
      operands.push_back({centre, {0, 1}});
    return b.reduce({zeros, {0, 1}}, operands, [&](ArrayRef<Number> e) { return e.back() + term(e[0], centre ? e[1] : Number()); });
  }

  /// Every column as `body` makes it of itself and `operands`, whose loops are rows, groups and columns of a group.
  Value map(ArrayRef<LoopBuilder::Operand> operands, LoopBuilder::Body body) {
    SmallVector<LoopBuilder::Operand> all{{cut, {0, 1, 2}}};
    llvm::append_range(all, operands);
    Value mapped = b.map(b.empty(b.sizeOf(rows, 0), {count, group}, b.getF32Type()), all, body);
    SmallVector<ReassociationIndices> together{{0}, {1, 2}};
    return tensor::CollapseShapeOp::create(b, cast<RankedTensorType>(rows.getType()), mapped, together);
  }

private:
  LoopBuilder &b;
  Value rows, cut;
  int64_t group, count;
};

struct RMSNormLoops : OpRewritePattern<RMSNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(RMSNormOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    int64_t group = op.getWeight() ? widthOf(op.getWeight().getType()) : int64_t(*op.getGroup());
    double epsilon = op.getEpsilon().convertToDouble();
    Groups groups(b, op.getInput(), group);
    Value squares = groups.sum({}, [](Number x, Number) { return x * x; });
    SmallVector<LoopBuilder::Operand> operands{{squares, {0, 1}}};
    if (Value weight = op.getWeight())
      operands.push_back({weight, {2}});
    rewriter.replaceOp(op, groups.map(operands, [&](ArrayRef<Number> e) {
      Number y = e[0] / squareRoot(e[1] / e[1].like(double(group)) + e[1].like(epsilon));
      return op.getWeight() ? y * realOf(e[2]) : y;
    }));
    return success();
  }
};

struct LayerNormLoops : OpRewritePattern<LayerNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LayerNormOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    int64_t group = widthOf(op.getWeight().getType());
    double epsilon = op.getEpsilon().convertToDouble();
    Groups groups(b, op.getInput(), group);
    auto mean = [&](Number sum) { return sum / sum.like(double(group)); };
    Value sums = groups.sum({}, [](Number x, Number) { return x; });
    Value squares = groups.sum(sums, [&](Number x, Number sum) { return (x - mean(sum)) * (x - mean(sum)); });
    SmallVector<LoopBuilder::Operand> operands{{sums, {0, 1}}, {squares, {0, 1}}, {op.getWeight(), {2}}};
    if (Value bias = op.getBias())
      operands.push_back({bias, {2}});
    rewriter.replaceOp(op, groups.map(operands, [&](ArrayRef<Number> e) {
      Number y = (e[0] - mean(e[1])) / squareRoot(mean(e[2]) + e[2].like(epsilon)) * realOf(e[3]);
      return op.getBias() ? y + realOf(e[4]) : y;
    }));
    return success();
  }
};

} // namespace

void moec::lowering::populateDenseLoops(RewritePatternSet &patterns) {
  patterns.add<ActivateLoops, GatedMLPLoops, LayerNormLoops, LinearLoops, RMSNormLoops>(patterns.getContext());
}
