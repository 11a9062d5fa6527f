// Builds functions of kernels in vectors as wide as the target's, and functions that kernels share.
#ifndef MOEC_LOWERING_X86_KERNELBUILDER_H
#define MOEC_LOWERING_X86_KERNELBUILDER_H

#include "lowering/kernel/FunctionBuilder.h"
#include "lowering/x86/Target.h"

namespace moec::lowering::x86 {

class KernelBuilder : public FunctionBuilder {
public:
  /// Appends functions to `module`.
  KernelBuilder(mlir::ModuleOp module, const Target &target) : FunctionBuilder(module), target(target), lanes(target.lanes(32)) {}

  const Target &target;
  /// f32 in a vector register.
  const int64_t lanes;

  /// `lanes` = 0 means scalar.
  Number zero(int64_t lanes);
  Number iota(int64_t lanes);

  /// Columns [0, width): `body(column, lanes)` for whole vectors, then for the rest one at a time with lanes = 0.
  void forColumns(int64_t width, llvm::function_ref<void(Number, int64_t)> body);
  void forColumns(Number width, llvm::function_ref<void(Number, int64_t)> body);

  /// The sum (or largest) of a vector's lanes by halving: lane i meets lane i + lanes / 2, and so on.
  Number sumOfLanes(Number vector);
  Number maximumOfLanes(Number vector);

  using Body = llvm::function_ref<void(llvm::ArrayRef<Number>)>;
  /// A function that others may call from outside.
  void exportedFunction(llvm::StringRef name, llvm::ArrayRef<mlir::Type> arguments, Body body);
  /// Calls the function `name` of this module, which is built when it is first called.
  void callShared(llvm::StringRef name, llvm::ArrayRef<mlir::Value> arguments, Body body);

private:
  mlir::LLVM::LLVMFuncOp buildFunction(llvm::StringRef name, llvm::ArrayRef<mlir::Type> arguments, bool exported, Body body);
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_KERNELBUILDER_H
