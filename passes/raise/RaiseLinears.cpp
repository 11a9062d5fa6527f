// Finds products of rows with weights.
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

struct RaiseLinears : impl::RaiseLinearsBase<RaiseLinears> {
  void runOnOperation() override {
    getOperation().walk([&](linalg::MatmulOp product) { raise(product); });
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
