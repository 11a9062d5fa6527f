// Where the elements of a tensor come from, when ops only move them.
#ifndef MOEC_PASSES_RAISE_ORIGINS_H
#define MOEC_PASSES_RAISE_ORIGINS_H

#include "passes/raise/Excerpt.h"

namespace moec::passes {

/// Values that `value` is made of by movements alone, the latest first, with itself and with those at which movements end.
llvm::SmallVector<mlir::Value> movedInto(mlir::Value value);

/// An element of one of the sources.
struct Origin {
  size_t source;
  int64_t index; ///< row-major
};

/// For each element of a tensor where it comes from; nothing for an element from elsewhere.
struct Origins {
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<llvm::SmallVector<int64_t>> sourceShapes;
  std::vector<std::optional<Origin>> elements;

  /// Nothing when `value` is not made of the sources by movements, or not at these sizes, or there is nothing left of the budget.
  /// Integers may say what goes where: those that are no sizes are `deciding`, and what they are.
  static std::optional<Origins> of(mlir::Value value, llvm::ArrayRef<mlir::Value> sources, Sizes &sizes,
                                   evaluator::Budget *budget = nullptr, llvm::ArrayRef<mlir::Value> deciding = {},
                                   llvm::ArrayRef<evaluator::Tensor> decisions = {});
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_ORIGINS_H
