// Structured ops as functions of their own, which equal ones share.
#ifndef MOEC_LOWERING_FUNCTION_OUTLINELOOPS_H
#define MOEC_LOWERING_FUNCTION_OUTLINELOOPS_H

#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering {

/// Moves every structured op on memrefs in `module` into a private function; ops that differ in their operands alone share one. A
/// graph's layers become code once, and no function grows with the graph. Ops that may end the run stay where they are.
void outlineLoops(mlir::ModuleOp module);

} // namespace moec::lowering

#endif // MOEC_LOWERING_FUNCTION_OUTLINELOOPS_H
