// From functions of a plan to functions in the LLVM dialect, whatever the target.
#ifndef MOEC_LOWERING_FUNCTION_LOWERFUNCTIONS_H
#define MOEC_LOWERING_FUNCTION_LOWERFUNCTIONS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace moec::lowering {

/// Loads the dialects that the lowering creates, from the context's registry, which has all of upstream; call before the context
/// runs threads.
void loadFunctionDialects(mlir::MLIRContext &context);

/// A module in the LLVM dialect with one function for each plan.function of `plan`, of the signature in runtime/kernels/Function.h.
/// Null after an error, which names the op that has no lowering.
mlir::OwningOpRef<mlir::ModuleOp> lowerFunctions(mlir::ModuleOp plan);

} // namespace moec::lowering

#endif // MOEC_LOWERING_FUNCTION_LOWERFUNCTIONS_H
