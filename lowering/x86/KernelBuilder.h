// Builds functions of kernels: control flow, vectors as wide as the target's, functions that kernels share.
#ifndef MOEC_LOWERING_X86_KERNELBUILDER_H
#define MOEC_LOWERING_X86_KERNELBUILDER_H

#include "lowering/x86/Number.h"
#include "lowering/x86/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering::x86 {

class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  /// Appends functions to `module`.
  KernelBuilder(mlir::ModuleOp module, const Target &target);

  const Target &target;
  const mlir::Type f32, bf16, i16, i32, i64, ptr;
  /// f32 in a vector register.
  const int64_t lanes;

  Number integer(int64_t value) { return constant(i64, value); }
  Number real(double value);
  /// `lanes` = 0 means scalar.
  Number zero(int64_t lanes);
  Number iota(int64_t lanes);
  Pointer pointer(mlir::Value value, mlir::Type element) { return {*this, value, element}; }
  Number number(mlir::Value value) { return {*this, value}; }

  using Numbers = llvm::SmallVector<Number>;
  /// for (i = lower; i < upper; i += step) body(i)
  void forRange(Number lower, Number upper, int64_t step, llvm::function_ref<void(Number)> body);
  void forRange(int64_t upper, llvm::function_ref<void(Number)> body) { forRange(integer(0), integer(upper), 1, body); }
  void forRange(Number upper, llvm::function_ref<void(Number)> body) { forRange(integer(0), upper, 1, body); }
  /// The same with values that each turn takes from the last.
  Numbers forRange(Number lower, Number upper, int64_t step, llvm::ArrayRef<Number> initial,
                   llvm::function_ref<Numbers(Number, llvm::ArrayRef<Number>)> body);
  void ifThen(Number condition, llvm::function_ref<void()> then);
  void ifThenElse(Number condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);

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
  Number constant(mlir::Type type, int64_t value);
  mlir::LLVM::LLVMFuncOp buildFunction(llvm::StringRef name, llvm::ArrayRef<mlir::Type> arguments, bool exported, Body body);

  mlir::ModuleOp module;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_KERNELBUILDER_H
