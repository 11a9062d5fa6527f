// The order of loops, and of sums, within structured ops.
#ifndef MOEC_LOWERING_FUNCTION_ARRANGELOOPS_H
#define MOEC_LOWERING_FUNCTION_ARRANGELOOPS_H

#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering {

/// Makes the innermost loop of every structured op of `module` that reduces one along which all of its tensors lie contiguous, or
/// do not move, where there is such a loop: LLVM's vectorizer can take it. Sums may then be taken in parts.
void arrangeLoops(mlir::ModuleOp module);

} // namespace moec::lowering

#endif // MOEC_LOWERING_FUNCTION_ARRANGELOOPS_H
