// Brings routing that is written in several ways to one of them.
#include "passes/Passes.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_NORMALIZEROUTING
#include "passes/Passes.h.inc"

namespace {
struct NormalizeRouting : impl::NormalizeRoutingBase<NormalizeRouting> {
  void runOnOperation() override {
    getOperation().walk([](RouteOp route) {
      RoutingAttr routing = route.getRouting();
      // What is added to scores, and what leaves groups out, tells scores from logits; an epsilon stays.
      if (routing.getScore() != Score::Softmax || !routing.getRenormalize() || double(routing.getEpsilon()) != 0 ||
          routing.getGroups() != 1 || route.getBias())
        return;
      route.setRoutingAttr(RoutingAttr::get(route.getContext(), routing.getK(), Score::SoftmaxTopK, 1, 1, routing.getGroupScore(),
                                            routing.getMaskFill(), /*renormalize=*/false, F64(0.0), routing.getScale()));
    });
  }
};
} // namespace
} // namespace moec::passes
