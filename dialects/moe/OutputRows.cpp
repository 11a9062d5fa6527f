// Which values have one row per output rather than one per token.
#include "dialects/moe/OutputRows.h"

#include "dialects/moe/MoE.h"

using namespace mlir;
using namespace moec::moe;

OutputRows::OutputRows(Operation *function) {
  function->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!isa<GatherOutputsOp>(op) && !areReadBy(op))
      return;
    values.insert_range(op->getResults());
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        values.insert(argument);
  });
}

bool OutputRows::areReadBy(Operation *op) const {
  return llvm::any_of(op->getOperands(), [&](Value value) { return contains(value); });
}
