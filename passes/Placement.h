// Where ops stand in their block.
#ifndef MOEC_PASSES_PLACEMENT_H
#define MOEC_PASSES_PLACEMENT_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

namespace moec::passes {

/// Moves `op` to before `other`. Operation::moveBefore would make the block forget the order of all its ops, which the next
/// comparison of two would establish anew: over the layers of a model, time quadratic in their number.
inline void moveBefore(mlir::Operation *op, mlir::Operation *other) {
  op->remove();
  other->getBlock()->getOperations().insert(other->getIterator(), op);
}

} // namespace moec::passes

#endif // MOEC_PASSES_PLACEMENT_H
