// Fuses routing into the experts' matrix products.
#include "passes/Passes.h"
#include "passes/Readers.h"
#include "passes/Remarks.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEEXPERTS
#include "passes/Passes.h.inc"

namespace {
/// Why `experts` cannot be fused with the routing `route`, or nothing when it can.
StringRef obstacle(ExpertsOp experts, RouteOp route) {
  if (!route || experts.getIds() != route.getIds() || experts.getWeights() != route.getWeights())
    return "ids and weights are not those of one moe.route";
  if (widthOf(route.getLogits().getType()) != cast<RankedTensorType>(experts.getGate().getType()).getDimSize(0))
    return "there are more or fewer logits than experts";
  if (!route.getWeights().hasOneUse())
    return "the weights have another reader";
  if (route.getTable())
    return "the ids come from a table";
  if (!isReadOnlyAfter(route.getIds(), experts))
    return "the ids have a reader before the experts";
  return {};
}

struct FuseExperts : impl::FuseExpertsBase<FuseExperts> {
  void runOnOperation() override {
    getOperation().walk([&](ExpertsOp experts) { fuse(experts); });
  }

  void fuse(ExpertsOp experts) {
    auto route = experts.getIds().getDefiningOp<RouteOp>();
    StringRef reason = obstacle(experts, route);
    if (!reason.empty()) {
      remark::missed(experts.getLoc(), remarkOf(getArgument(), experts)) << reason;
      return;
    }
    OpBuilder builder(experts);
    auto fused = FusedExpertsOp::create(builder, experts.getLoc(), experts.getType(), route.getIds().getType(), experts.getInput(),
                                        route.getLogits(), route.getBias(), experts.getGate(), experts.getUp(), experts.getDown(),
                                        experts.getGateBias(), experts.getUpBias(), experts.getDownBias(),
                                        /*shared_gate=*/Value(), /*shared_up=*/Value(), /*shared_down=*/Value(),
                                        /*residual=*/Value(), route.getRouting(), experts.getActivation(),
                                        experts.getWeightOnInput(), experts.getCompute());
    experts.replaceAllUsesWith(fused.getResult());
    experts.erase();
    route.getIds().replaceAllUsesWith(fused.getIds());
    route.erase();
  }
};
} // namespace
} // namespace moec::passes
