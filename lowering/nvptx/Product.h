// Products of rows of activations with the columns of a block, by matrix units where they cover them, else by warps.
#ifndef MOEC_LOWERING_NVPTX_PRODUCT_H
#define MOEC_LOWERING_NVPTX_PRODUCT_H

#include "lowering/nvptx/MatrixProduct.h"
#include "lowering/nvptx/WarpProduct.h"
#include "llvm/Support/MathExtras.h"

#include <optional>

namespace moec::lowering::nvptx {

/// Rows that are added to the same place of the result: neighbours with the same number, at most `longest`.
struct Runs {
  int64_t longest = 1;
  llvm::function_ref<Number(Number row)> numberOf = nullptr;
};

class Product {
public:
  static constexpr int64_t threads = MatrixProduct::threads;
  static_assert(threads == productThreads);

  /// For `groups` weights of the same shape that are multiplied with the same activations.
  Product(KernelFrame &frame, bool byMatrix, moe::Compute compute, int64_t width, llvm::ArrayRef<int64_t> strides, int64_t groups);

  int64_t columnsOfBlock() const { return matrix ? MatrixProduct::columns : productWarps; }
  int64_t blocksOf(int64_t columns) const { return llvm::divideCeil(columns, columnsOfBlock()); }
  /// Rows that a block takes while it has the weights at hand.
  int64_t rowsOfBlock() const { return matrix ? MatrixProduct::rows : productRows; }

  /// Takes the products of all groups for one element; called by one thread.
  using Store = llvm::function_ref<void(Number row, Number column, llvm::ArrayRef<Number> sums)>;
  /// Products of `rows` rows of activations with the columns of the `block`th block of `columns`. The elements of a run are stored
  /// one after the other. For all threads of the block.
  void multiply(Number block, int64_t columns, Number rows, MatrixProduct::WeightRow weight,
                MatrixProduct::ActivationRow activation, Store store, Runs runs = {});

private:
  void forRun(Runs runs, Number first, Number count, Number row, llvm::function_ref<void(Number)> body);

  KernelBuilder &b;
  int64_t groups;
  std::optional<MatrixProduct> matrix;
  std::optional<WarpProduct> warp;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCT_H
