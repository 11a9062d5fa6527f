// From emitted kernels through LLVM to code, whatever the target.
#ifndef MOEC_LOWERING_KERNEL_LOWERTOLLVM_H
#define MOEC_LOWERING_KERNEL_LOWERTOLLVM_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

namespace moec::lowering {

/// Loads the dialects that emitters and the lowering create; call before the context runs threads.
void loadKernelDialects(mlir::MLIRContext &context);

/// Lowers everything in `module` to the LLVM dialect. Functions of numbers become polynomials.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module);

/// What LLVM may do to loops: nothing where they are written as vectors, unrolled as far as it pays.
enum class Loops { AsWritten, Vectorize };

/// The code of `module`, all of it in the LLVM dialect, optimized for `machine`: an object file or text. Floating-point arithmetic
/// is compiled as written; nothing calls a library.
llvm::Expected<std::string> compile(mlir::ModuleOp module, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                                    Loops loops = Loops::AsWritten);

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_LOWERTOLLVM_H
