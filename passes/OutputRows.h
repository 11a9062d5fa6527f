// Which values have one row per output rather than one per token.
#ifndef MOEC_PASSES_OUTPUTROWS_H
#define MOEC_PASSES_OUTPUTROWS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace moec::passes {

/// Everything computed from a `moe.gather_outputs` has one row per output. Such rows never meet the tokens' rows in one op.
class OutputRows {
public:
  explicit OutputRows(mlir::func::FuncOp function);
  /// Whether the rows that `op` works on are the outputs'.
  bool contains(mlir::Operation *op) const;

private:
  llvm::DenseSet<mlir::Value> values;
};

} // namespace moec::passes

#endif // MOEC_PASSES_OUTPUTROWS_H
