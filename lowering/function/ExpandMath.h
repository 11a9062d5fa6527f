// Functions of numbers by arithmetic: code calls no library.
#ifndef MOEC_LOWERING_FUNCTION_EXPANDMATH_H
#define MOEC_LOWERING_FUNCTION_EXPANDMATH_H

#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering {

/// Replaces the functions of floats in `module` by what PreciseFunctions.h makes of them in f64. Those that processors have as
/// instructions stay.
void expandMath(mlir::ModuleOp module);

} // namespace moec::lowering

#endif // MOEC_LOWERING_FUNCTION_EXPANDMATH_H
