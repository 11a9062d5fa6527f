// Builds functions of kernels, whatever the target: constants and control flow over numbers.
#ifndef MOEC_LOWERING_KERNEL_FUNCTIONBUILDER_H
#define MOEC_LOWERING_KERNEL_FUNCTIONBUILDER_H

#include "lowering/kernel/Number.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering {

class FunctionBuilder : public mlir::ImplicitLocOpBuilder {
public:
  /// Appends functions to `module`.
  explicit FunctionBuilder(mlir::ModuleOp module);
  virtual ~FunctionBuilder() = default;

  const mlir::Type f32, bf16, i8, i16, i32, i64, ptr;

  Number integer(int64_t value) { return {*this, integerOf(i64, value)}; }
  /// A small integer, such as indices within a block of work.
  Number integer32(int64_t value) { return {*this, integerOf(i32, value)}; }
  Number real(double value);
  Pointer pointer(mlir::Value value, mlir::Type element) { return {*this, value, element}; }
  Number number(mlir::Value value) { return {*this, value}; }

  /// The address stored at `from`, of elements of `pointee`.
  virtual Pointer loadAddress(Pointer from, mlir::Type pointee) { return from.loadPointer(pointee); }

  using Numbers = llvm::SmallVector<Number>;
  /// for (i = lower; i < upper; i += step) body(i)
  void forRange(Number lower, Number upper, int64_t step, llvm::function_ref<void(Number)> body);
  void forRange(int64_t upper, llvm::function_ref<void(Number)> body) { forRange(integer(0), integer(upper), 1, body); }
  void forRange(Number upper, llvm::function_ref<void(Number)> body) { forRange(integer(0), upper, 1, body); }
  /// The same with values that each turn takes from the last.
  Numbers forRange(Number lower, Number upper, int64_t step, llvm::ArrayRef<Number> initial,
                   llvm::function_ref<Numbers(Number, llvm::ArrayRef<Number>)> body);
  /// Takes values from turn to turn for as long as `condition` holds of them; these are then the result.
  Numbers repeatWhile(llvm::ArrayRef<Number> initial, llvm::function_ref<Number(llvm::ArrayRef<Number>)> condition,
                      llvm::function_ref<Numbers(llvm::ArrayRef<Number>)> body);
  void ifThen(Number condition, llvm::function_ref<void()> then);
  void ifThenElse(Number condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);
  /// What one of them computes, both numbers of the same type.
  Number computeIf(Number condition, llvm::function_ref<Number()> then, llvm::function_ref<Number()> otherwise);
  Number computeIf(Number condition, llvm::function_ref<Number()> then, Number otherwise);

protected:
  mlir::ModuleOp module;

private:
  mlir::Value integerOf(mlir::Type type, int64_t value);
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_FUNCTIONBUILDER_H
