// Products behind logits, seen through row-wise ops.
#include "passes/Routers.h"

using namespace mlir;
using namespace moec::moe;

static void collectProducts(Value logits, DenseSet<Operation *> &products) {
  Operation *op = logits.getDefiningOp();
  if (!op)
    return;
  if (isa<LinearOp>(op))
    products.insert(op);
  else if (isRowwise(op))
    for (Value operand : op->getOperands())
      collectProducts(operand, products);
}

DenseSet<Operation *> moec::passes::routersOf(ModuleOp module) {
  DenseSet<Operation *> routers;
  module.walk([&](RouteOp op) { collectProducts(op.getLogits(), routers); });
  module.walk([&](FusedExpertsOp op) { collectProducts(op.getLogits(), routers); });
  return routers;
}

DenseSet<Operation *> moec::passes::controlsOf(ModuleOp module) {
  DenseSet<Operation *> controls = routersOf(module);
  module.walk([&](StreamWeightsOp op) { collectProducts(op.getInput(), controls); });
  module.walk([&](SelectPositionsOp op) { collectProducts(op.getWeights(), controls); });
  return controls;
}
