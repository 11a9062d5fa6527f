// Fuses the gate and up products with their activation, and with the down product.
#include "passes/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEGATEUP
#include "passes/Passes.h.inc"

namespace {
/// The product that makes `value` for one reader, if it adds neither bias nor residual; null otherwise.
LinearOp plainProduct(Value value) {
  auto linear = value.getDefiningOp<LinearOp>();
  return linear && linear->hasOneUse() && !linear.getBias() && !linear.getResidual() ? linear : LinearOp();
}

/// The down product of `hidden`, if it is its only reader and fits into a gated MLP; null otherwise.
LinearOp downProduct(Value hidden, Compute compute) {
  auto down = hidden.hasOneUse() ? dyn_cast<LinearOp>(*hidden.user_begin()) : LinearOp();
  return down && down.getInput() == hidden && !down.getBias() && down.getCompute() == compute ? down : LinearOp();
}

struct FuseGateUp : impl::FuseGateUpBase<FuseGateUp> {
  void runOnOperation() override {
    SmallVector<ActivateOp> activations; // collected first: a fusion erases what follows
    getOperation().walk([&](ActivateOp op) { activations.push_back(op); });
    llvm::for_each(activations, [&](ActivateOp op) { fuse(op); });
  }

  void fuse(ActivateOp activate) {
    LinearOp gate = plainProduct(activate.getGate()), up = plainProduct(activate.getUp());
    if (!gate || !up || gate == up || gate.getInput() != up.getInput() || gate.getCompute() != up.getCompute())
      return;
    Compute compute = gate.getCompute();
    if (LinearOp down = downProduct(activate.getResult(), compute)) {
      OpBuilder builder(down);
      auto mlp = GatedMLPOp::create(builder, down.getLoc(), down.getType(), gate.getInput(), gate.getWeight(), up.getWeight(),
                                    down.getWeight(), down.getResidual(), activate.getActivation(), compute);
      down.replaceAllUsesWith(mlp.getResult());
      down.erase();
    } else {
      OpBuilder builder(activate);
      auto gateUp = GateUpOp::create(builder, activate.getLoc(), activate.getType(), gate.getInput(), gate.getWeight(),
                                     up.getWeight(), activate.getActivation(), compute);
      activate.replaceAllUsesWith(gateUp.getResult());
    }
    activate.erase();
    gate.erase();
    up.erase();
  }
};
} // namespace
} // namespace moec::passes
