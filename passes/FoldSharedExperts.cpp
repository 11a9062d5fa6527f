// Computes shared experts together with the routed ones.
#include "passes/Passes.h"
#include "passes/Placement.h"
#include "passes/Readers.h"
#include "passes/Remarks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_FOLDSHAREDEXPERTS
#include "passes/Passes.h.inc"

namespace {
/// Why `shared` cannot be computed together with `routed` where `sum` adds them, or nothing when it can.
StringRef obstacle(arith::AddFOp sum, FusedExpertsOp routed, GatedMLPOp shared) {
  if (routed.getSharedGate() || routed.getResidual() || shared.getResidual())
    return "one side adds something else already";
  if (!routed.getResult().hasOneUse() || !shared->hasOneUse())
    return "one side has another reader";
  if (!isReadOnlyAfter(routed.getIds(), sum))
    return "the ids have a reader before the sum";
  if (shared.getInput() != routed.getInput())
    return "the inputs differ";
  if (shared.getCompute() != routed.getCompute())
    return "the compute types differ";
  if (shared.getActivation() != routed.getActivation())
    return "the activations differ";
  if (!isStoredAlike(shared.getGate(), routed.getGate()) || !isStoredAlike(shared.getUp(), routed.getUp()) ||
      !isStoredAlike(shared.getDown(), routed.getDown()))
    return "the weights are stored in different types";
  return {};
}

struct FoldSharedExperts : impl::FoldSharedExpertsBase<FoldSharedExperts> {
  void runOnOperation() override {
    getOperation().walk([&](arith::AddFOp sum) {
      for (auto [one, other] : {std::pair(sum.getLhs(), sum.getRhs()), std::pair(sum.getRhs(), sum.getLhs())}) {
        auto routed = one.getDefiningOp<FusedExpertsOp>();
        auto shared = other.getDefiningOp<GatedMLPOp>();
        if (routed && shared)
          return fold(sum, routed, shared);
      }
    });
  }

  void fold(arith::AddFOp sum, FusedExpertsOp routed, GatedMLPOp shared) {
    StringRef reason = obstacle(sum, routed, shared);
    if (!reason.empty()) {
      remark::missed(sum.getLoc(), remarkOf(getArgument(), sum)) << reason;
      return;
    }
    moveBefore(routed, sum); // behind the shared weights
    routed->setLoc(sum.getLoc());
    routed.getSharedGateMutable().assign(shared.getGate());
    routed.getSharedUpMutable().assign(shared.getUp());
    routed.getSharedDownMutable().assign(shared.getDown());
    sum.replaceAllUsesWith(routed.getResult());
    sum.erase();
    shared.erase();
  }
};
} // namespace
} // namespace moec::passes
