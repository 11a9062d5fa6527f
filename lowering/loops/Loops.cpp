// The ops of the moe dialect as loops over tensors.
#include "lowering/loops/Loops.h"

#include "dialects/moe/MoE.h"
#include "lowering/loops/StoredBytes.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace moec;

LogicalResult lowering::convertToLoops(ModuleOp module) {
  auto isOurs = [](Operation *op) { return isa_and_nonnull<moe::MoEDialect>(op->getDialect()); };
  module.walk([&](Operation *op) {
    if (isOurs(op))
      remark::passed(op->getLoc(), remark::RemarkOpts::name("convert-to-loops").category("convert-to-loops"))
          << op->getName().getStringRef() << " runs as plain loops: no kernel is written for it within functions";
  });
  for (auto function : module.getOps<func::FuncOp>())
    bindStoredBytes(function);
  RewritePatternSet patterns(module.getContext());
  populateAttentionLoops(patterns);
  populateDenseLoops(patterns);
  populateExpertLoops(patterns);
  populateModelLoops(patterns);
  populateRopeLoops(patterns);
  populateRouteLoops(patterns);
  populateWeightLoops(patterns);
  walkAndApplyPatterns(module, std::move(patterns));
  for (auto function : module.getOps<func::FuncOp>())
    unpackStoredBytes(function);
  WalkResult rest = module.walk([&](Operation *op) {
    if (!isOurs(op))
      return WalkResult::advance();
    op->emitOpError() << "has no loops; expected another op within a function";
    return WalkResult::interrupt();
  });
  return failure(rest.wasInterrupted());
}
