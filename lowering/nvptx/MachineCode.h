// LLVM's backend for GPUs: from a module in the LLVM dialect to text that the driver or its assembler takes.
#ifndef MOEC_LOWERING_NVPTX_MACHINECODE_H
#define MOEC_LOWERING_NVPTX_MACHINECODE_H

#include "lowering/nvptx/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>

namespace moec::lowering::nvptx {

/// The PTX of `module` for `target`. Floating-point arithmetic is compiled as written.
llvm::Expected<std::string> compileToText(mlir::ModuleOp module, const Target &target);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_MACHINECODE_H
