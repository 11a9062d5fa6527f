// LLVM and lld: from a module in the LLVM dialect to an object file, and from that to a shared object.
#ifndef MOEC_LOWERING_X86_MACHINECODE_H
#define MOEC_LOWERING_X86_MACHINECODE_H

#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/x86/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>

namespace moec::lowering::x86 {

/// The machine code of `module` for `target`, as an ELF object file. Floating-point arithmetic is compiled as written.
llvm::Expected<std::string> compileToObject(mlir::ModuleOp module, const Target &target, Loops loops);

/// `object` as a shared object that needs no other. Not for several threads at once: lld is one of a process.
llvm::Expected<std::string> linkSharedObject(llvm::StringRef object);

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_MACHINECODE_H
