// Products of rows of activations with the columns of a block, by matrix units where they cover them, else by warps.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_PRODUCT_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_PRODUCT_H

#include "lowering/nvptx/products/MatrixProduct.h"
#include "lowering/nvptx/products/ProductCost.h"
#include "lowering/nvptx/products/TileProduct.h"
#include "lowering/nvptx/products/WarpProduct.h"
#include "llvm/Support/MathExtras.h"

#include <optional>

namespace moec::lowering::nvptx {

class Product {
public:
  static constexpr int64_t threads = MatrixProduct::threads;
  static_assert(threads == productThreads);

  /// Which units multiply, and for steps of how many rows in tiles, if for any: an element is the same either way.
  struct Strategy {
    bool byMatrix = false;
    std::optional<int64_t> tilesFrom;

    /// Whether a step has so many.
    Number tilesPay(const KernelFrame &frame) const { return frame.rows >= *tilesFrom; }
  };
  /// What takes least for all `products` of a kernel, by matrix units if they cover them; remarks say where there was a choice, and
  /// where matrix units were not for what they could compute.
  static Strategy choose(const KernelFrame &frame, moe::Compute compute, bool byMatrix, llvm::ArrayRef<ProductSizes> products);
  /// `groups` weights that are stored so, each with `columns` columns of `width` numbers.
  static ProductSizes sizesOf(const Storage &storage, int64_t columns, int64_t width, int64_t groups);

  /// For `groups` weights of the same shape and storage that are multiplied with the same activations.
  Product(KernelFrame &frame, const Strategy &strategy, const Storage &storage, moe::Compute compute, int64_t width,
          llvm::ArrayRef<int64_t> strides, int64_t groups);

  /// How a block's part is cut.
  enum class Blocks { narrow, tiles };

  /// Blocks that take `columns`.
  static int64_t blocksOf(int64_t columns, bool byMatrix) {
    return llvm::divideCeil(columns, byMatrix ? MatrixProduct::columns : productWarps);
  }
  static int64_t tilesOf(int64_t columns, int64_t groups) { return llvm::divideCeil(columns, TileProduct::weightRows / groups); }
  /// What falls to a block of the products of all rows of the step with `columns` columns: the `block`th block of these with `rows`
  /// rows from `first` on.
  using Share = llvm::function_ref<void(Blocks blocks, Number block, Number first, Number rows)>;
  /// Launches enough blocks for each of `planes` such products, and calls `share` for what this block does of its plane, the number
  /// of which is its third.
  void forShare(KernelFrame &frame, int64_t columns, int64_t planes, Share share) const;

  /// Rows that a block takes while it has the weights at hand.
  int64_t rowsOfBlock() const { return matrix ? TileProduct::rows : productRows; }

  using Element = MatrixProduct::Element;
  using ElementOf = MatrixProduct::ElementOf;
  /// Products of `rows` rows of activations, at most TileProduct::rows for a tile, with the columns of the `block`th block of
  /// `columns`. For all threads of the block.
  void multiply(Blocks blocks, Number block, int64_t columns, Number rows, MatrixProduct::Weights weight,
                MatrixProduct::ActivationRow activation, ElementOf elementOf);

private:
  void multiplyByWarp(Number column, Number rows, MatrixProduct::Weights weight, MatrixProduct::ActivationRow activation,
                      ElementOf elementOf);

  KernelBuilder &b;
  const Strategy strategy;
  int64_t groups;
  std::optional<MatrixProduct> matrix;
  std::optional<TileProduct> tile;
  std::optional<WarpProduct> warp;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_PRODUCT_H
