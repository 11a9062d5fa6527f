// How the bytes of a weight are cut into parts with an address each.
#ifndef MOEC_LOWERING_PLAN_WEIGHTPARTS_H
#define MOEC_LOWERING_PLAN_WEIGHTPARTS_H

#include "dialects/moe/MoE.h"

namespace moec::lowering {

/// #plan.part attributes of `weight` as kernels take them: stacked experts and heads, of rank 3, are a part each; of others the
/// fewest that there can be.
llvm::SmallVector<mlir::Attribute> partsForKernels(moe::WeightOp weight);

/// As functions take them, which get a whole tensor: the fewest, whatever the rank.
llvm::SmallVector<mlir::Attribute> partsForFunctions(moe::WeightOp weight);

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_WEIGHTPARTS_H
