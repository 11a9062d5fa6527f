// Adds residuals where matrix products write their results.
#include "passes/Passes.h"
#include "passes/Placement.h"
#include "passes/Readers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_FUSERESIDUALS
#include "passes/Passes.h.inc"

namespace {
/// The product that makes `side` for `sum` and for nobody else, and has room for a residual; null when there is none.
Operation *productOf(Value side, arith::AddFOp sum) {
  Operation *op = side.getDefiningOp();
  if (!op || op->getBlock() != sum->getBlock() || !side.hasOneUse())
    return nullptr;
  bool hasRoom = TypeSwitch<Operation *, bool>(op)
                     .Case<LinearOp, GatedMLPOp>([](auto product) { return !product.getResidual(); })
                     .Case([&](FusedExpertsOp product) {
                       return !product.getResidual() && side == product.getResult() && isReadOnlyAfter(product.getIds(), sum);
                     })
                     .Default(false);
  return hasRoom ? op : nullptr;
}

struct FuseResiduals : impl::FuseResidualsBase<FuseResiduals> {
  void runOnOperation() override {
    getOperation().walk([&](arith::AddFOp sum) {
      Operation *left = productOf(sum.getLhs(), sum), *right = productOf(sum.getRhs(), sum);
      if (sum.getLhs() == sum.getRhs() || (!left && !right))
        return;
      // Of two products the later one takes the sum: it moves less.
      bool takeRight = !left || (right && left->isBeforeInBlock(right));
      fuse(sum, takeRight ? right : left, takeRight ? sum.getLhs() : sum.getRhs());
    });
  }

  void fuse(arith::AddFOp sum, Operation *product, Value residual) {
    moveBefore(product, sum);
    product->setLoc(sum.getLoc());
    TypeSwitch<Operation *>(product).Case<LinearOp, GatedMLPOp, FusedExpertsOp>(
        [&](auto product) { product.getResidualMutable().assign(residual); });
    sum.replaceAllUsesWith(product->getResult(0));
    sum.erase();
  }
};
} // namespace
} // namespace moec::passes
