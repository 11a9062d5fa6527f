// Products by matrix units: 16 rows of weights, straight from memory, with up to 32 rows of activations.
//
// Weights are the left operand (A), activations the right one (B), so that few rows of activations waste little. A thread loads 8
// neighbouring elements of a row at once: within 32 steps of the inner dimension, elements 8t to 8t + 7 are lane group t's in both
// operands, which changes the order of a sum and not what it is of. Warps take every fourth 32 steps; their sums meet in shared
// memory.
#ifndef MOEC_LOWERING_NVPTX_MATRIXPRODUCT_H
#define MOEC_LOWERING_NVPTX_MATRIXPRODUCT_H

#include "lowering/nvptx/Fragment.h"
#include "lowering/nvptx/KernelFrame.h"

namespace moec::lowering::nvptx {

class MatrixProduct {
public:
  static constexpr int64_t warps = 4, threads = warps * warpSize;
  /// Columns of a result (rows of weights) that a block computes, and rows of activations that it takes at once.
  static constexpr int64_t columns = MatrixTile::rows, rows = 4 * MatrixTile::columns;

  /// Whether it computes a product of weights [.., width] of `element` on `target`; `strides` are what distances between rows of
  /// activations, in elements, are multiples of.
  static bool covers(const Target &target, moe::Compute compute, mlir::Type element, int64_t width,
                     llvm::ArrayRef<int64_t> strides = {});

  /// For `groups` weights that are multiplied with the same activations.
  MatrixProduct(KernelFrame &frame, int64_t width, int64_t groups);

  /// A row of weights and a row of f32 activations.
  using WeightRow = llvm::function_ref<Pointer(int64_t group, Number column)>;
  using ActivationRow = llvm::function_ref<Pointer(Number row)>;
  /// The products of all groups for one column of the thread's and any row.
  using Sums = llvm::function_ref<KernelBuilder::Numbers(Number row)>;
  /// Takes what came of one element; called by one thread.
  using Store = llvm::function_ref<void(Number row, Number column, Sums sums)>;
  /// Multiplies columns [first, first + 16) of `count` with activation rows [0, activations), 1 to 32 of them. For all threads of
  /// the block; ends with a barrier.
  void multiply(Number first, int64_t count, Number activations, WeightRow weight, ActivationRow activation, Store store);

private:
  void multiplyTiles(int64_t tiles, Number first, int64_t count, Number activations, WeightRow weight, ActivationRow activation,
                     Store store);
  KernelBuilder::Numbers accumulate(int64_t tiles, llvm::ArrayRef<Pointer> weights, llvm::ArrayRef<Pointer> activations);

  KernelBuilder &b;
  int64_t width, groups;
  Pointer partial; ///< f32 [warps, groups, tiles, 4, lanes]
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_MATRIXPRODUCT_H
