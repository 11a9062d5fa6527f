// Sets the type in which activations enter matrix products, and that of the caches. Routers decide in f32.
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/Routers.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_CHOOSENUMBERFORMATS
#include "passes/Passes.h.inc"

namespace {
/// Whether matrix units may multiply all matrices of `op` with bf16: they are stored in it, or in codes, which are exact in it.
/// Caches will be.
bool multipliesBF16(Operation *op) {
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    auto matrix = dyn_cast<RankedTensorType>(operand.getType());
    if (!matrix || !isWeight(matrix) || matrix.getRank() < 2)
      return true;
    return matrix.getElementType().isBF16() || operand.getDefiningOp<DequantizeOp>();
  });
}

struct ChooseNumberFormats : impl::ChooseNumberFormatsBase<ChooseNumberFormats> {
  using Base::Base;

  void runOnOperation() override {
    DenseSet<Operation *> routers = routersOf(getOperation());
    getOperation().walk([&](Operation *op) {
      TypeSwitch<Operation *>(op)
          .Case([&](CacheOp cache) { cache.setTypeAttr(TypeAttr::get(cacheType(cache))); })
          .Case<LinearOp, GroupedLinearOp, GateUpOp, GatedMLPOp, ExpertsOp, FusedExpertsOp, AttentionOp, LatentAttentionOp,
                AbsorbedAttentionOp>([&](auto product) { product.setCompute(choose(product, routers.contains(product))); });
    });
  }

  RankedTensorType cacheType(CacheOp cache) {
    Type element = compute == Compute::BF16 ? Type(BFloat16Type::get(&getContext())) : Type(Float32Type::get(&getContext()));
    return cast<RankedTensorType>(cache.getType()).clone(element);
  }

  Compute choose(Operation *product, bool routes) {
    if (compute == Compute::F32)
      return Compute::F32;
    if (routes) {
      remark::missed(product->getLoc(), remarkOf(getArgument(), product)) << "router logits stay f32";
      return Compute::F32;
    }
    if (!multipliesBF16(product)) {
      remark::missed(product->getLoc(), remarkOf(getArgument(), product))
          << "weights are stored neither in bf16 nor in codes, so rounding activations would save nothing";
      return Compute::F32;
    }
    return Compute::BF16;
  }
};
} // namespace
} // namespace moec::passes
