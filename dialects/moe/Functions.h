// Modules of functions of named tensors.
#ifndef MOEC_DIALECTS_MOE_FUNCTIONS_H
#define MOEC_DIALECTS_MOE_FUNCTIONS_H

#include "mlir/IR/Operation.h"

namespace moec::moe {

/// Whether `module` holds functions of named tensors ('moe.output' of results), as graphs that are no step over a batch are
/// imported.
bool isOfFunctions(mlir::Operation *module);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_FUNCTIONS_H
