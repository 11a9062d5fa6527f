// What verifiers ask of operands and symbols.
#ifndef MOEC_DIALECTS_MOE_VERIFICATION_H
#define MOEC_DIALECTS_MOE_VERIFICATION_H

#include "dialects/moe/MoE.h"

namespace moec::moe {

inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape(); }

/// Whether `weight` has exactly `shape`.
inline bool hasShape(mlir::Value weight, llvm::ArrayRef<int64_t> shape) { return shapeOf(weight) == shape; }

/// The cache that `symbol` names, or null after an error that cites `constraint`.
inline CacheOp lookUpCache(mlir::Operation *op, mlir::SymbolTableCollection &symbols, mlir::FlatSymbolRefAttr symbol,
                           llvm::StringRef constraint) {
  auto cache = symbols.lookupNearestSymbolFrom<CacheOp>(op, symbol);
  if (!cache)
    op->emitOpError() << constraint << ": expected " << symbol << " to name a moe.cache";
  return cache;
}

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_VERIFICATION_H
