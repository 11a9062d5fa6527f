// Machine code of an artifact, loaded into the process.
#ifndef MOEC_RUNTIME_DEVICES_CPU_CODEMODULE_H
#define MOEC_RUNTIME_DEVICES_CPU_CODEMODULE_H

#include "runtime/Status.h"
#include "runtime/kernels/Function.h"
#include "runtime/kernels/Kernel.h"

#include <cstddef>
#include <memory>
#include <span>

namespace moec::runtime {

/// A shared object loaded from memory; its functions live as long as it does.
class CodeModule {
public:
  static Result<std::unique_ptr<CodeModule>> load(std::span<const std::byte> sharedObject, const std::string &name);
  ~CodeModule();
  CodeModule(const CodeModule &) = delete;

  /// The kernel or function of that symbol, or null.
  KernelFunction find(const char *symbol) const { return reinterpret_cast<KernelFunction>(address(symbol)); }
  FunctionCode findFunction(const char *symbol) const { return reinterpret_cast<FunctionCode>(address(symbol)); }

private:
  void *address(const char *symbol) const;
  explicit CodeModule(int descriptor) : descriptor(descriptor) {}

  /// Of the memory that the code was loaded from. The loader knows objects by their paths, and the path names this number: it must
  /// not be given to another while the code is loaded.
  int descriptor;
  void *handle = nullptr;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_DEVICES_CPU_CODEMODULE_H
