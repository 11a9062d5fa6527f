// Finds products of rows with weights.
#include "passes/Remarks.h"
#include "passes/raise/Passes.h"
#include "passes/raise/Rows.h"
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_RAISELINEARS
#include "passes/raise/Passes.h.inc"

namespace {

/// `value` is a reference to bytes, and not computed.
bool isStored(Value value) { return isa_and_nonnull<GetWeightOp, DequantizeOp>(value.getDefiningOp()); }

/// The matrix [out, in] of a product with `factor` [in, out]; null where that is nothing stored.
Value weightOf(OpBuilder &builder, Value factor) {
  if (auto transpose = factor.getDefiningOp<linalg::TransposeOp>())
    return isStored(transpose.getInput()) && transpose.getPermutation() == ArrayRef<int64_t>{1, 0} ? transpose.getInput() : Value();
  return factor.getDefiningOp<GetWeightOp>() ? transposed(builder, factor.getLoc(), factor, {1, 0}) : Value();
}

bool isZeros(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs().front(), m_AnyZeroFloat());
}

/// Has a product add the vector that is added to it, in whatever shape its rows are seen then. A reason where it cannot.
StringRef takeBias(LinearOp linear) {
  Value sum = linear.getResult();
  while (sum.hasOneUse() && isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(*sum.user_begin()) &&
         rowWidth(sum.user_begin()->getResult(0)) == widthOf(linear.getType()))
    sum = sum.user_begin()->getResult(0);
  auto add = sum.hasOneUse() ? dyn_cast<linalg::GenericOp>(*sum.user_begin()) : linalg::GenericOp();
  if (!computes<arith::AddFOp>(add) || add.getNumDpsInputs() != 2 || add->getResult(0).getType() != sum.getType())
    return "";
  for (unsigned at : {0, 1}) {
    OpOperand *vector = add.getDpsInputOperand(at), *rows = add.getDpsInputOperand(1 - at);
    auto type = dyn_cast<RankedTensorType>(vector->get().getType());
    Operation *stored = vector->get().getDefiningOp();
    bool isBias = rows->get() == sum && add.getMatchingIndexingMap(rows).isIdentity() && type && type.getRank() == 1 &&
                  isWeight(type) && stored && stored->getNumOperands() == 0 && isMemoryEffectFree(stored) &&
                  add.getMatchingIndexingMap(vector) ==
                      AffineMap::get(add.getNumLoops(), 0, getAffineDimExpr(add.getNumLoops() - 1, add.getContext()));
    if (!isBias)
      continue;
    if (add->getBlock() != linear->getBlock())
      return "is added in another block than the product";
    // The vector may be of a block around that one.
    Operation *ancestor = stored->getBlock()->findAncestorOpInBlock(*linear);
    if (!ancestor)
      return "is of another block than the product";
    if (ancestor->isBeforeInBlock(stored))
      stored->moveBefore(ancestor);
    linear.getBiasMutable().assign(vector->get());
    add->getResult(0).replaceAllUsesWith(sum);
    add.erase();
    return "";
  }
  return "";
}

struct RaiseLinears : impl::RaiseLinearsBase<RaiseLinears> {
  void runOnOperation() override {
    getOperation().walk([&](linalg::MatmulOp product) { raise(product); });
    // Sums go, so that nothing may be walking over them.
    SmallVector<LinearOp> linears;
    getOperation().walk([&](LinearOp linear) { linears.push_back(linear); });
    for (LinearOp linear : linears) {
      if (linear.getBias() || linear.getResidual())
        continue;
      if (StringRef problem = takeBias(linear); !problem.empty())
        remark::missed(linear.getLoc(), remarkOf(getArgument(), linear))
            << ("a vector stays beside a product: it " + problem).str();
    }
  }

  void raise(linalg::MatmulOp product) {
    if (!product.hasPureTensorSemantics())
      return;
    Value rows = product.getInputs()[0], factor = product.getInputs()[1];
    auto type = cast<RankedTensorType>(product->getResult(0).getType());
    if (product.hasUserDefinedMaps() || !type.getElementType().isF32() || !rowWidth(rows) || !rowWidth(product->getResult(0)) ||
        !cast<RankedTensorType>(rows.getType()).getElementType().isF32() || !isZeros(product.getOutputs().front()))
      return;
    OpBuilder builder(product);
    Value weight = weightOf(builder, factor);
    if (!weight || !isWeight(weight.getType()))
      return;
    auto result = RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(1)}, type.getElementType());
    Value linear =
        LinearOp::create(builder, product.getLoc(), result, toRows(builder, product.getLoc(), rows), weight, /*bias=*/Value(),
                         /*residual=*/Value(), Compute::F32);
    product->getResult(0).replaceAllUsesWith(fromRows(builder, product.getLoc(), linear, product->getResult(0), {rows}));
    product.erase();
  }
};
} // namespace
} // namespace moec::passes
