// A part of a function, cut out to be evaluated by itself.
#ifndef MOEC_PASSES_RAISE_EXCERPT_H
#define MOEC_PASSES_RAISE_EXCERPT_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "passes/evaluator/Evaluator.h"
#include "passes/raise/Sizes.h"

namespace moec::passes {

/// The values that `op` reads: its operands, and what its regions take from outside.
llvm::SmallVector<mlir::Value> valuesReadBy(mlir::Operation *op);

/// The ops of a function that make `output` of `inputs`, of constants, and of integers known beforehand, in order; nothing when it
/// depends on anything else.
struct Between {
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SmallVector<mlir::Value> numbers; ///< the integers
};
std::optional<Between> opsBetween(llvm::ArrayRef<mlir::Value> inputs, mlir::Value output);

/// What `output` is, given `inputs`: tensors that ops at the function's level, or constants within their regions, make. Integers
/// that depend on none of them are what Sizes makes of them.
class Excerpt {
public:
  /// Nothing when `output` depends on anything else. What all its evaluations may do together is `budget`, or one of its own. What
  /// is made of weights is nothing without `tables`, which reads those that are small enough, and the leading rows of others.
  static std::optional<Excerpt> make(mlir::Value output, llvm::ArrayRef<mlir::Value> inputs, evaluator::Budget *budget = nullptr,
                                     evaluator::Weights *tables = nullptr);

  /// Nothing when a size is not known, or the evaluation failed, or there is nothing left of the budget.
  std::optional<evaluator::Tensor> evaluate(llvm::ArrayRef<evaluator::Tensor> inputs, Sizes &sizes);

  /// How many tensors it takes.
  unsigned inputs() { return function.getNumArguments(); }
  /// Bits of the mantissa of the least precise floats that it computes in.
  unsigned precision();
  /// Equal for excerpts that are the same function of their inputs.
  std::string key();
  /// As text, without the sizes that it takes from outside.
  std::string text();
  /// Those sizes.
  std::string numbersAt(Sizes &sizes);

private:
  /// Takes the weights that it reads over from `original`; whether they are not too large.
  bool takeWeights(mlir::ModuleOp original);

  evaluator::Weights *tables = nullptr;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  evaluator::Budget *budget = nullptr, own{uint64_t(1) << 28};
  /// Integers of the original, and the constants that stand for them.
  llvm::SmallVector<std::pair<mlir::Value, mlir::arith::ConstantOp>> numbers;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_EXCERPT_H
