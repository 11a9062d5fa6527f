// Code generation with LLVM, linking with lld.
#include "lowering/x86/MachineCode.h"

#include "lld/Common/Driver.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace moec::lowering;
using namespace moec::lowering::x86;

static constexpr llvm::StringLiteral tripleName = "x86_64-unknown-linux-gnu";

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const Target &target) {
  static std::once_flag registered;
  std::call_once(registered, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  std::string error;
  llvm::Triple triple(tripleName);
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return llvm::createStringError(error);
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(triple, target.processor, target.processorFlags,
                                                                          llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt,
                                                                          llvm::CodeGenOptLevel::Default));
  return machine;
}

llvm::Expected<std::string> moec::lowering::x86::compileToObject(mlir::ModuleOp source, const Target &target, Loops loops) {
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  return compile(source, **machine, llvm::CodeGenFileType::ObjectFile, loops);
}

/// A file of `bytes` in the system's temporary folder that is removed with the object.
static llvm::Expected<std::unique_ptr<llvm::FileRemover>> createTemporary(llvm::StringRef suffix, llvm::StringRef bytes,
                                                                          llvm::SmallVectorImpl<char> &path) {
  int file;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("moec", suffix, file, path))
    return llvm::createStringError(error, "cannot create a temporary file");
  auto remover = std::make_unique<llvm::FileRemover>(llvm::Twine(path));
  llvm::raw_fd_ostream stream(file, /*shouldClose=*/true);
  stream << bytes;
  stream.close();
  if (stream.has_error()) {
    std::error_code error = stream.error();
    stream.clear_error();
    return llvm::createStringError(error, "cannot write a temporary file");
  }
  return remover;
}

llvm::Expected<std::string> moec::lowering::x86::linkSharedObject(llvm::StringRef object) {
  llvm::SmallString<128> objectPath, sharedPath;
  auto objectFile = createTemporary("o", object, objectPath);
  if (!objectFile)
    return objectFile.takeError();
  auto sharedFile = createTemporary("so", "", sharedPath);
  if (!sharedFile)
    return sharedFile.takeError();

  std::string output;
  llvm::raw_string_ostream messages(output);
  const char *arguments[] = {
      "ld.lld", "-shared",     "-nostdlib", "--no-undefined",   "--build-id=none", "--hash-style=gnu", "--strip-all", "--threads=1",
      "-z",     "noexecstack", "-o",        sharedPath.c_str(), objectPath.c_str()};
  lld::Result result = lld::lldMain(arguments, messages, messages, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return llvm::createStringError("linking the kernels failed: " + output);
  auto bytes = llvm::MemoryBuffer::getFile(sharedPath, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!bytes)
    return llvm::createStringError(bytes.getError(), "cannot read the linked kernels");
  return (*bytes)->getBuffer().str();
}
