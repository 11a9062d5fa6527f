// Which values have one row per output rather than one per token.
#include "passes/OutputRows.h"

#include "dialects/moe/MoE.h"

using namespace mlir;
using namespace moec::passes;

OutputRows::OutputRows(func::FuncOp function) {
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!isa<moe::GatherOutputsOp>(op) && !contains(op))
      return;
    values.insert_range(op->getResults());
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        values.insert(argument);
  });
}

bool OutputRows::contains(Operation *op) const {
  return llvm::any_of(op->getOperands(), [&](Value value) { return values.contains(value); });
}
