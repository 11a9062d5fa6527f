// Where the readers of a value are, and what becomes of a value or weight that has none.
#ifndef MOEC_PASSES_READERS_H
#define MOEC_PASSES_READERS_H

#include "dialects/moe/MoE.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/DenseSet.h"

namespace moec::passes {

/// Whether every reader of `value` other than `op` comes after `op`, so that the op that makes `value` can move down to `op`.
inline bool isReadOnlyAfter(mlir::Value value, mlir::Operation *op) {
  return llvm::all_of(value.getUsers(), [&](mlir::Operation *user) {
    mlir::Operation *inBlock = op->getBlock()->findAncestorOpInBlock(*user);
    return inBlock && (inBlock == op || op->isBeforeInBlock(inBlock));
  });
}

/// Erases an op that makes a weight, if nobody reads it, and what it was made of.
inline void eraseUnused(mlir::Operation *op) {
  if (!op->use_empty())
    return;
  llvm::SmallVector<mlir::Value> parts(op->getOperands());
  op->erase();
  for (mlir::Value part : parts)
    eraseUnused(part.getDefiningOp());
}

/// Erases those of `weights` that nothing in `module` reads.
inline void eraseUnread(mlir::ModuleOp module, llvm::ArrayRef<moe::WeightOp> weights) {
  llvm::DenseSet<mlir::StringAttr> read;
  module.walk([&](moe::GetWeightOp op) { read.insert(op.getWeightAttr().getAttr()); });
  for (moe::WeightOp weight : weights)
    if (!read.contains(weight.getSymNameAttr()))
      weight.erase();
}

} // namespace moec::passes

#endif // MOEC_PASSES_READERS_H
