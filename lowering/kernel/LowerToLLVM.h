// From emitted kernels to optimized LLVM IR, whatever the target.
#ifndef MOEC_LOWERING_KERNEL_LOWERTOLLVM_H
#define MOEC_LOWERING_KERNEL_LOWERTOLLVM_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

namespace moec::lowering {

/// Loads the dialects that emitters and the lowering create; call before the context runs threads.
void loadKernelDialects(mlir::MLIRContext &context);

/// Lowers everything in `module` to the LLVM dialect. Functions of numbers become polynomials.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module);

/// `module`, all of it in the LLVM dialect, as LLVM IR optimized for `machine`. Nothing in it calls a library.
llvm::Expected<std::unique_ptr<llvm::Module>> translateAndOptimize(mlir::ModuleOp module, llvm::LLVMContext &context,
                                                                   llvm::TargetMachine &machine);

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_LOWERTOLLVM_H
