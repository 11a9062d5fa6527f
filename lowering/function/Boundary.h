// How a function meets its caller: the signature of runtime/kernels/Function.h.
#ifndef MOEC_LOWERING_FUNCTION_BOUNDARY_H
#define MOEC_LOWERING_FUNCTION_BOUNDARY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::lowering {

/// Gives `function`, whose arguments and results are contiguous memrefs, the signature of a function. Its allocations and failed
/// assertions become calls of what it is given. The body has no structured control flow left.
void convertBoundary(mlir::func::FuncOp function);

} // namespace moec::lowering

#endif // MOEC_LOWERING_FUNCTION_BOUNDARY_H
