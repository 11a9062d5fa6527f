// Code generation with LLVM.
#include "lowering/nvptx/MachineCode.h"

#include "lowering/kernel/LowerToLLVM.h"

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
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  return compile(source, **machine, llvm::CodeGenFileType::AssemblyFile);
}
