// Products by matrix units: 16 rows of weights with up to 32 rows of activations.
//
// Weights are the left operand (A), activations the right one (B), so that few rows of activations waste little. Each warp takes a
// part of the columns of both; their sums meet in shared memory, the first part's first.
//
// A warp copies the weights that it will multiply to shared memory of its own, as they are stored, several steps ahead: memory is
// kept busy however few blocks there are, and no warp waits for another.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_MATRIXPRODUCT_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_MATRIXPRODUCT_H

#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/matrix/Fragment.h"
#include "lowering/nvptx/products/WeightCodes.h"

namespace moec::lowering::nvptx {

class MatrixProduct {
public:
  static constexpr int64_t warps = WeightCodes::parts, threads = warps * warpSize;
  /// Columns of a result (rows of weights) that a block computes, and rows of activations that it takes at once.
  static constexpr int64_t columns = MatrixTile::rows, rows = 4 * MatrixTile::columns;

  /// Whether it computes a product of weights [.., width] that are stored so on `target`; `strides` are what distances between rows
  /// of activations, in elements, are multiples of.
  static bool covers(const Target &target, moe::Compute compute, const Storage &storage, int64_t width,
                     llvm::ArrayRef<int64_t> strides = {});

  /// For `groups` weights that are stored alike and multiplied with the same activations.
  MatrixProduct(KernelFrame &frame, const Storage &storage, int64_t width, int64_t groups);

  /// A row of weights and a row of f32 activations.
  using Weights = llvm::function_ref<WeightRow(int64_t group, Number column)>;
  using ActivationRow = llvm::function_ref<Pointer(Number row)>;
  /// What an element of the result becomes, and where it is stored.
  struct Element {
    Pointer place;
    Number value;

    void store() const { place.store(value); }
  };
  /// Makes an element of its products of all groups. Does not store it: what several elements need can then be loaded together.
  using ElementOf = llvm::function_ref<Element(Number row, Number column, llvm::ArrayRef<Number> sums)>;
  /// Multiplies columns [first, first + 16) of `count` with activation rows [0, activations), 1 to 32 of them. For all threads of
  /// the block; ends with a barrier.
  void multiply(Number first, int64_t count, Number activations, Weights weight, ActivationRow activation, ElementOf elementOf);

private:
  void multiplyTiles(int64_t tiles, Number first, int64_t count, Number activations, Weights weight, ActivationRow activation,
                     ElementOf elementOf);
  /// Where a warp's part of the shared memory begins.
  Pointer ofWarp(Number warp) const;

  KernelBuilder &b;
  const Storage storage;
  const WeightCodes codes;
  const int64_t width, groups;
  const int64_t mostRows; ///< of activations, in any launch
  const int64_t ahead;    ///< how many of a warp's steps are copied ahead, a power of two
  const int64_t bytesOfWarp;
  const Pointer memory; ///< for each warp, pieces [ahead, groups, 2]; then its sums, f32 [groups, tiles, 4, lanes]
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_MATRIXPRODUCT_H
