// Products by matrix units for many rows: tiles of 128 rows of weights by 64 rows of activations.
//
// Both operands pass through shared memory, ahead of their use: weights by asynchronous copies, as they are stored, activations
// through registers, as they are rounded on the way. Warps take 32 rows of weights each, and copy those themselves.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_TILEPRODUCT_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_TILEPRODUCT_H

#include "lowering/nvptx/matrix/MatrixUnits.h"
#include "lowering/nvptx/products/BlockScales.h"
#include "lowering/nvptx/products/MatrixProduct.h"

namespace moec::lowering::nvptx {

class TileProduct {
public:
  static constexpr int64_t warps = 4, threads = warps * warpSize;
  /// Rows of weights, of all groups, and of activations.
  static constexpr int64_t weightRows = 128, rows = 64;

  /// For `groups` weights, 1 or 2, that are stored alike and multiplied with the same activations; of what MatrixProduct covers.
  TileProduct(KernelFrame &frame, const Storage &storage, int64_t width, int64_t groups);

  /// Columns of the result.
  int64_t columns() const { return weightRows / groups; }

  /// Multiplies columns [first, first + columns()) of `count` with activation rows [0, activations), 1 to 64 of them. For all
  /// threads of the block; ends with a barrier.
  void multiply(Number first, int64_t count, Number activations, MatrixProduct::Weights weight,
                MatrixProduct::ActivationRow activation, MatrixProduct::ElementOf elementOf);

private:
  using Numbers = KernelBuilder::Numbers;

  static constexpr int64_t rowsOfWarp = weightRows / warps, piecesOfWarp = rowsOfWarp / WeightCodes::pieceRows;
  /// Steps of the weights that there is room for, and units of the activations; powers of two.
  static constexpr int64_t weightSlots = 4, activationSlots = 2;
  static constexpr int64_t weightSlotBytes = weightRows * PermutedRows::stride, activationSlotBytes = rows * PermutedRows::stride;
  /// Rows of activations that the block's threads take at once, each its columns of a unit.
  static constexpr int64_t rowsAtOnce = threads / PermutedRows::chunks, loadsOfThread = rows / rowsAtOnce;
  /// Tiles of 16 rows of weights and 8 of activations that a warp has, and the accumulators that a thread has of these.
  static constexpr int64_t leftTiles = rowsOfWarp / MatrixTile::rows, rightTiles = rows / MatrixTile::columns;
  static constexpr int64_t sumCount = leftTiles * rightTiles * accumulators;
  /// From one row of sums to the next, in f32: what the lanes of a warp store at once lies in different banks.
  static constexpr int64_t sumStride = weightRows + 4;

  /// What a thread works on: the rows of weights that it copies and turns into operands, the rows of activations that it loads.
  struct Rows {
    llvm::SmallVector<WeightRow> weights;
    llvm::SmallVector<Pointer> activations;
  };
  Pointer weightSlot(Number step) const; ///< this warp's rows of it
  Pointer activationSlot(Number unit) const;
  Number stepOf(Number unit) const;
  void copyWeights(const Rows &own, Number step);
  Numbers loadActivations(const Rows &own, Number unit);
  void storeActivations(Number unit, llvm::ArrayRef<Number> loaded);
  void multiplyUnit(Number unit, const BlockScales &scales, llvm::ArrayRef<Number> loadedScales,
                    llvm::MutableArrayRef<Number> sums);
  /// Leaves the products in `totals`.
  void accumulate(const Rows &own);
  /// Where this thread's accumulators belong among the sums.
  template <typename Body> void forOwnSums(Body body) const;

  KernelBuilder &b;
  const Storage storage;
  const WeightCodes codes;
  const int64_t width, groups;
  const int64_t units; ///< of a row, and what fills its last turn up
  const Pointer weightMemory, activationMemory;
  const Pointer totals; ///< f32 [rows, weightRows]
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_TILEPRODUCT_H
