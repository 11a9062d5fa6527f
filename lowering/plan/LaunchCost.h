// What one row of a launch costs.
#ifndef MOEC_LOWERING_PLAN_LAUNCHCOST_H
#define MOEC_LOWERING_PLAN_LAUNCHCOST_H

#include "dialects/moe/MoE.h"

namespace moec::lowering {

/// FLOP, and bytes of weights, of a step with a single row that sees no position but its own.
struct RowCost {
  int64_t flop = 0, weightBytes = 0;
};

/// The cost of an op that one launch computes. `isWeight` says which of its operands are weights.
RowCost costOfRow(mlir::Operation *op, llvm::function_ref<bool(mlir::Value)> isWeight);

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_LAUNCHCOST_H
