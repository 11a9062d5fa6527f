// Splits the step function into one for prefill and one for decode.
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace moec::passes {
#define GEN_PASS_DEF_SPECIALIZEPHASES
#include "passes/Passes.h.inc"

namespace {
struct SpecializePhases : impl::SpecializePhasesBase<SpecializePhases> {
  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>("step");
    if (!step || !llvm::any_of(step.getArgumentTypes(), llvm::IsaPred<moe::BatchType>))
      return;
    for (StringRef phase : {"prefill", "decode"})
      if (getOperation().lookupSymbol(phase)) {
        remark::missed(step.getLoc(), remarkOf(getArgument(), step)) << "the name of a phase is taken";
        return;
      }
    OpBuilder builder(step);
    for (StringRef phase : {"prefill", "decode"}) {
      auto specialized = cast<func::FuncOp>(builder.clone(*step));
      specialized.setName(phase);
      specialized->setAttr("moe.phase", builder.getStringAttr(phase));
    }
    step.erase();
  }
};
} // namespace
} // namespace moec::passes
