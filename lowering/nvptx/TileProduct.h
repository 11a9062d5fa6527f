// Products by matrix units for many rows: tiles of 128 rows of weights by 64 rows of activations.
//
// Both operands pass through shared memory, a step or two of the inner dimension ahead: weights by asynchronous copies, activations
// through registers, as they are rounded on the way. Warps take 32 rows of weights each.
#ifndef MOEC_LOWERING_NVPTX_TILEPRODUCT_H
#define MOEC_LOWERING_NVPTX_TILEPRODUCT_H

#include "lowering/nvptx/MatrixProduct.h"
#include "lowering/nvptx/MatrixUnits.h"

namespace moec::lowering::nvptx {

class TileProduct {
public:
  static constexpr int64_t warps = 4, threads = warps * warpSize;
  /// Rows of weights, of all groups, and of activations.
  static constexpr int64_t weightRows = 128, rows = 64;

  /// For `groups` weights, 1 or 2, that are multiplied with the same activations; of what MatrixProduct covers.
  TileProduct(KernelFrame &frame, int64_t width, int64_t groups);

  /// Columns of the result.
  int64_t columns() const { return weightRows / groups; }

  /// Multiplies columns [first, first + columns()) of `count` with activation rows [0, activations), 1 to 64 of them. For all
  /// threads of the block; ends with a barrier.
  void multiply(Number first, int64_t count, Number activations, MatrixProduct::Weights weight,
                MatrixProduct::ActivationRow activation, MatrixProduct::Store store);

private:
  static constexpr int64_t stages = 3;
  /// Columns of the weights that a stage holds.
  static constexpr int64_t stageDepth = 32, chunksOfStage = stageDepth / chunkElements;
  static constexpr SharedRows weightLayout{weightRows, chunksOfStage}, activationLayout{rows, chunksOfStage};
  static constexpr int64_t stageBytes = weightLayout.bytes() + activationLayout.bytes();
  /// Rows that the block's threads take at once, each a chunk.
  static constexpr int64_t rowsAtOnce = threads / chunksOfStage;
  static constexpr int64_t copiesOfThread = weightRows / rowsAtOnce, loadsOfThread = rows / rowsAtOnce;
  /// Tiles of 16 rows of weights and 8 of activations that a warp has.
  static constexpr int64_t leftTiles = weightRows / warps / MatrixTile::rows, rightTiles = rows / MatrixTile::columns;
  /// From one row of sums to the next, in f32: what the lanes of a warp store at once lies in different banks.
  static constexpr int64_t sumStride = weightRows + 4;

  /// `stage` is the byte at which it begins.
  Pointer weightsOf(Number stage) const { return memory.plusBytes(stage); }
  Pointer activationsOf(Number stage) const { return weightsOf(stage).plusBytes(b.integer(weightLayout.bytes())); }
  void multiplyStage(Number stage, llvm::MutableArrayRef<Number> sums);
  void accumulate(llvm::ArrayRef<Pointer> weights, llvm::ArrayRef<Pointer> activations);
  /// Where this thread's accumulators belong among the sums.
  template <typename Body> void forOwnSums(Body body) const;

  KernelBuilder &b;
  const int64_t width, groups;
  const Pointer memory; ///< [stages] of weights and activations
  const Pointer totals; ///< f32 [rows, weightRows]
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_TILEPRODUCT_H
