// Checks that a module is ready to be planned: the contract of the optimize phase.
#include "dialects/moe/Functions.h"
#include "passes/Passes.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_VERIFYOPTIMIZED
#include "passes/Passes.h.inc"

namespace {
struct VerifyOptimized : impl::VerifyOptimizedBase<VerifyOptimized> {
  void runOnOperation() override {
    bool ofFunctions = isOfFunctions(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (llvm::any_of(function.getArgumentTypes(), llvm::IsaPred<BatchType>) && !function->hasAttr("moe.phase")) {
        function.emitOpError() << "expected 'moe.phase' on a function over a batch; run 'moe-specialize-phases'";
        signalPassFailure();
      }
    getOperation().walk([&](Operation *op) {
      if (isa<DispatchOp, ExpertHiddenOp, CombineOp>(op)) {
        op->emitOpError() << "is a stage that only a plan has; expected moe.fused_experts or moe.experts";
        signalPassFailure();
      }
      if (!ofFunctions && isRowwise(op) && !isa<RowwiseOp>(op->getParentOp())) {
        op->emitOpError() << "expected row-wise ops within moe.rowwise; run 'moe-fuse-rowwise'";
        signalPassFailure();
      }
    });
  }
};
} // namespace
} // namespace moec::passes
