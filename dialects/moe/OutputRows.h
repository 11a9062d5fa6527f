// Which values have one row per output rather than one per token.
#ifndef MOEC_DIALECTS_MOE_OUTPUTROWS_H
#define MOEC_DIALECTS_MOE_OUTPUTROWS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseSet.h"

namespace moec::moe {

/// Everything computed from a `moe.gather_outputs` has one row per output. Such rows never meet the tokens' rows in one op.
class OutputRows {
public:
  /// Of all that `function` computes.
  explicit OutputRows(mlir::Operation *function);
  bool contains(mlir::Value value) const { return values.contains(value); }
  /// Whether the rows that `op` works on are the outputs'.
  bool areReadBy(mlir::Operation *op) const;

private:
  llvm::DenseSet<mlir::Value> values;
};

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_OUTPUTROWS_H
