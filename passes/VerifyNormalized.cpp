// Checks that a module is a model as importers write it: the contract of the normalize phase.
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_VERIFYNORMALIZED
#include "passes/Passes.h.inc"

namespace {
/// The ops that say what a model means.
bool isNormal(Operation *op) {
  return isa<WeightOp, GetWeightOp, DequantizeOp, CacheOp, AppendOp, EmbedOp, GatherOutputsOp, ColumnsOp, LinearOp, GroupedLinearOp,
             RMSNormOp, LayerNormOp, RopeOp, ScaleByPositionOp, ActivateOp, GatedMLPOp, RouteOp, ExpertsOp, AttentionOp,
             SelectPositionsOp, PoolBlocksOp, LatentAttentionOp, StreamWeightsOp, MergeStreamsOp, MixStreamsOp, cf::AssertOp>(op) ||
         isa<BuiltinDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect, tensor::TensorDialect,
             linalg::LinalgDialect, scf::SCFDialect>(op->getDialect());
}

/// Whether `op` is how a graph spells latent attention; of a step, a pass decides on the form.
bool isGraphsChoice(Operation *op) {
  auto absorbed = dyn_cast<AbsorbedAttentionOp>(op);
  return absorbed && !absorbed.getBatch();
}

struct VerifyNormalized : impl::VerifyNormalizedBase<VerifyNormalized> {
  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (!op->getDialect() || !(isNormal(op) || isGraphsChoice(op))) {
        op->emitOpError() << "is not an op of a normalized model; expected the form that importers write";
        signalPassFailure();
      }
      if (auto phase = op->getAttr("moe.phase")) {
        op->emitOpError() << "expected no phase before 'moe-specialize-phases', got " << phase;
        signalPassFailure();
      }
      if (auto compute = op->getAttrOfType<ComputeAttr>("compute"); compute && compute.getValue() != Compute::F32) {
        op->emitOpError() << "expected compute = f32 before 'moe-choose-number-formats', got "
                          << stringifyCompute(compute.getValue());
        signalPassFailure();
      }
    });
  }
};
} // namespace
} // namespace moec::passes
