// Attends over the latent cache itself where a roofline of both forms says that this is cheaper.
#include "passes/Passes.h"
#include "passes/Remarks.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_ABSORBLATENTATTENTION
#include "passes/Passes.h.inc"

namespace {
struct AbsorbLatentAttention : impl::AbsorbLatentAttentionBase<AbsorbLatentAttention> {
  using Base::Base;

  void runOnOperation() override {
    auto phase = getOperation()->getAttrOfType<StringAttr>("moe.phase");
    if (!phase) // nobody knows how many tokens its sequences bring
      return;
    bool prefill = phase == "prefill";
    Workload workload = {prefill ? prefillTokens : decodeTokens, prefill ? prefillContext : decodeContext};
    SymbolTableCollection symbols;
    getOperation().walk([&](LatentAttentionOp op) { decide(op, workload, symbols); });
  }

  void decide(LatentAttentionOp op, Workload workload, SymbolTableCollection &symbols) {
    Cost expanded = expandedAttentionCost(op, workload, symbols), absorbed = absorbedAttentionCost(op, workload, symbols);
    auto time = [&](const Cost &cost) { return std::pair(roofline(cost, flopPerByte), cost.flop); };
    bool absorb = time(absorbed) < time(expanded);
    remark::RemarkOpts label = remarkOf(getArgument(), op);
    (absorb ? remark::passed(op.getLoc(), label) : remark::missed(op.getLoc(), label))
        << llvm::formatv("{0} tokens, {1} positions: absorbed {2:f2} MFLOP and {3:f2} MB, expanded {4:f2} MFLOP and {5:f2} MB",
                         workload.tokens, workload.context, absorbed.flop / 1e6, absorbed.bytes() / 1e6, expanded.flop / 1e6,
                         expanded.bytes() / 1e6)
               .str();
    if (!absorb)
      return;
    OpBuilder builder(op);
    auto replacement = AbsorbedAttentionOp::create(builder, op.getLoc(), op.getType(), op.getQuery(), op.getBatch(), op.getKeyUp(),
                                                   op.getValueUp(), op.getPositions(), op.getCacheAttr(),
                                                   op.getScale().convertToDouble(), op.getCompute());
    op.replaceAllUsesWith(replacement.getResult());
    op.erase();
  }
};
} // namespace
} // namespace moec::passes
