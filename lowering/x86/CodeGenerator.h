// Machine code for the kernels of a plan: one shared object for each instruction-set level.
#ifndef MOEC_LOWERING_X86_CODEGENERATOR_H
#define MOEC_LOWERING_X86_CODEGENERATOR_H

#include "lowering/CodeVariant.h"
#include "lowering/x86/Target.h"
#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering::x86 {

/// Generates code for every plan.kernel and plan.function directly in `plan`, for each of `targets`, and sets their `scratch_bytes`
/// (the most that any target needs). The bytes depend on nothing but the arguments. Fails with an error on the op that no
/// strategy covers.
llvm::FailureOr<std::vector<CodeVariant>> generateCode(mlir::ModuleOp plan, llvm::ArrayRef<const Target *> targets);

/// The same for every level of x86-64, lowest first.
llvm::FailureOr<std::vector<CodeVariant>> generateCode(mlir::ModuleOp plan);

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_CODEGENERATOR_H
