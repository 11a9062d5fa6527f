// Checks of what only a run can know: that shapes agree and indices are within their tensors.
#ifndef MOEC_LOWERING_FUNCTION_RUNTIMECHECKS_H
#define MOEC_LOWERING_FUNCTION_RUNTIMECHECKS_H

#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering {

/// Puts a cf.assert before every op of `module` whose operands may not fit it, with a message that begins with the op's location.
void addRuntimeChecks(mlir::ModuleOp module);

} // namespace moec::lowering

#endif // MOEC_LOWERING_FUNCTION_RUNTIMECHECKS_H
