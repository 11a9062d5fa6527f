// Code for the kernels of a plan: text and launch shapes for each generation of GPUs.
#ifndef MOEC_LOWERING_NVPTX_CODEGENERATOR_H
#define MOEC_LOWERING_NVPTX_CODEGENERATOR_H

#include "lowering/GpuCode.h"
#include "lowering/nvptx/Target.h"
#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering::nvptx {

/// Loads the dialects that code generation creates; call before the context runs threads.
void loadDialects(mlir::MLIRContext &context);

/// Generates code for every plan.kernel directly in `plan`, for each of `targets`. The bytes depend on nothing but the arguments.
/// Fails with an error on the op that no strategy covers.
llvm::FailureOr<std::vector<GpuCode>> generateCode(mlir::ModuleOp plan, llvm::ArrayRef<const Target *> targets);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_CODEGENERATOR_H
