// One compilation: a module on its way through the phases.
#ifndef MOEC_TOOLS_MOE_COMPILE_COMPILATION_H
#define MOEC_TOOLS_MOE_COMPILE_COMPILATION_H

#include "lowering/CodeVariant.h"
#include "lowering/GpuCode.h"
#include "tools/moe-compile/Options.h"

#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace moec::compile {

class Compilation {
public:
  Compilation(mlir::MLIRContext &context, const Options &options) : context(context), options(options) {}

  /// Imports a folder, or parses IR. What is wrong is said in the error, or has been by the context's diagnostics.
  llvm::Error load();
  /// Runs the phases behind --from up to `last`.
  llvm::Error advance(Phase last);

  mlir::ModuleOp module() { return *ir; }
  const std::vector<lowering::CodeVariant> &code() const { return variants; }
  const std::vector<lowering::GpuCode> &gpuCode() const { return gpus; }

private:
  llvm::Error generateCode();
  llvm::Error assemble(lowering::GpuCode &code);
  llvm::Error runPasses(llvm::StringRef phase, llvm::function_ref<void(mlir::OpPassManager &)> build);

  mlir::MLIRContext &context;
  const Options &options;
  mlir::OwningOpRef<mlir::ModuleOp> ir;
  std::vector<lowering::CodeVariant> variants;
  std::vector<lowering::GpuCode> gpus;
};

} // namespace moec::compile

#endif // MOEC_TOOLS_MOE_COMPILE_COMPILATION_H
