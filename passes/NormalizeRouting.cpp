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
      if (routing.getGroups() != 1)
        return;
      // What is added to scores tells them from logits; an epsilon stays.
      bool isOfChosen =
          routing.getScore() == Score::Softmax && routing.getRenormalize() && double(routing.getEpsilon()) == 0 && !route.getBias();
      route.setRoutingAttr(RoutingAttr::get(route.getContext(), routing.getK(),
                                            isOfChosen ? Score::SoftmaxTopK : routing.getScore(), 1, 1, GroupScore::Max,
                                            MaskFill::NegativeInfinity, !isOfChosen && routing.getRenormalize(),
                                            routing.getEpsilon(), routing.getScale(), routing.getJitterEpsilon()));
    });
  }
};
} // namespace
} // namespace moec::passes
