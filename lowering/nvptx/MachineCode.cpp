// Code generation with LLVM.
#include "lowering/nvptx/MachineCode.h"

#include "lowering/kernel/LowerToLLVM.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"

#include <mutex>

using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const Target &target) {
  static std::once_flag registered;
  std::call_once(registered, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  std::string error;
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return llvm::createStringError(error);
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(triple, target.processor, target.features,
                                                                         llvm::TargetOptions(), std::nullopt, std::nullopt,
                                                                         llvm::CodeGenOptLevel::Aggressive));
}

llvm::Expected<std::string> moec::lowering::nvptx::compileToText(mlir::ModuleOp source, const Target &target) {
  llvm::LLVMContext context;
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  auto module = translateAndOptimize(source, context, **machine);
  if (!module)
    return module.takeError();

  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager codegen;
  if ((*machine)->addPassesToEmitFile(codegen, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return llvm::createStringError("expected a target that writes text");
  codegen.run(**module);
  return std::string(text.begin(), text.end());
}
