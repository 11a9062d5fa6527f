// Sizes of tensors, worked out for chosen sizes of a function's arguments.
#ifndef MOEC_PASSES_RAISE_SIZES_H
#define MOEC_PASSES_RAISE_SIZES_H

#include "mlir/IR/OpDefinition.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <vector>

namespace moec::passes {

/// Elements of a tensor of that shape; more than any limit allows where they are beyond counting.
int64_t countOf(llvm::ArrayRef<int64_t> shape);

/// Follows sizes and integers back to the dynamic dimensions of arguments, which get the `choices` in turn, in the order in which
/// they are met. What depends on data has no answer.
class Sizes {
public:
  explicit Sizes(llvm::ArrayRef<int64_t> choices) : choices(choices.begin(), choices.end()) {}

  /// Fixes a dimension of an argument, which takes none of the choices then.
  void fix(mlir::Value argument, int64_t axis, int64_t size) { sizes[{argument, axis}] = size; }

  std::optional<llvm::SmallVector<int64_t>> shape(mlir::Value tensor);
  std::optional<int64_t> size(mlir::Value tensor, int64_t axis);
  /// Of an integer or index, or of the only element of a tensor of integers.
  std::optional<int64_t> number(mlir::Value value);

private:
  std::optional<int64_t> find(mlir::Value tensor, int64_t axis);
  std::optional<int64_t> compute(mlir::Value value);
  std::optional<int64_t> element(mlir::Value tensor, int64_t index);
  std::optional<int64_t> number(mlir::OpFoldResult value);

  std::vector<int64_t> choices;
  size_t chosen = 0;
  static constexpr unsigned most = 1000; ///< steps from a size to where it comes from
  unsigned depth = 0;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, std::optional<int64_t>> sizes;
  llvm::DenseMap<mlir::Value, std::optional<int64_t>> numbers;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_SIZES_H
