// The tables of constants that ops read beside their operands: what the planner and every target must agree on.
#ifndef MOEC_LOWERING_PLAN_TABLES_H
#define MOEC_LOWERING_PLAN_TABLES_H

#include "dialects/moe/MoE.h"

namespace moec::lowering {

/// What the tables of `op` hold, in the order of its launch's buffers; nothing for most ops.
inline llvm::SmallVector<mlir::Attribute, 2> tablesOf(mlir::Operation *op) {
  if (auto scale = llvm::dyn_cast<moe::ScaleByPositionOp>(op))
    return {scale.getScale()};
  auto rope = llvm::dyn_cast<moe::RopeOp>(op);
  if (!rope)
    return {};
  if (moe::PositionScaleAttr scale = rope.getPositionScaleAttr())
    return {rope.getRotary(), scale};
  return {rope.getRotary()};
}

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_TABLES_H
