// Products of a few columns of one weight, staged whole in shared memory, with the rows of a step: each weight is read once.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_STAGEDPRODUCT_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_STAGEDPRODUCT_H

#include "lowering/kernel/Weight.h"
#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/matrix/MatrixUnits.h"

namespace moec::lowering::nvptx {

class StagedProduct {
public:
  /// Which dimension of the weight its rows in memory are.
  enum class Stored { byColumn, byDepth };

  /// For blocks of `tiles` x `parts` warps: each takes 16 columns and a part of the depth.
  StagedProduct(KernelFrame &frame, int64_t tiles, int64_t parts, int64_t depth, Stored stored);
  static int64_t bytesOf(int64_t tiles, int64_t parts, int64_t depth, Stored stored);

  /// Columns that a block computes.
  int64_t columns() const { return tiles * MatrixTile::rows; }

  /// Whether weights that are stored so can be staged.
  static bool covers(const Storage &storage);
  /// Begins to copy the weight's columns [first, count), or dequantises them, rounded to bf16. `row` is a row in memory, and
  /// `first` where rows are steps of the depth the place in it from which on the columns are.
  void stageWeight(const Storage &storage, Number first, Number count, llvm::function_ref<WeightRow(Number row)> row);

  /// Two neighbouring elements of a row of activations, rounded to bf16 in an i32.
  using Activations = llvm::function_ref<Number(Number row, Number column)>;
  /// Takes an element of the result; `column` counts from the block's first.
  using Store = llvm::function_ref<void(Number row, Number column, Number sum)>;
  /// Called before the activations of row `first` and those behind it are asked for.
  using Prepare = llvm::function_ref<void(Number first)>;
  /// Multiplies with all `rows`. For all threads of the block.
  void multiply(Number count, Number rows, Activations activations, Store store, Prepare prepare = nullptr);
  /// The same with rows that are bf16 in memory, at multiples of a chunk.
  void multiplyRows(Number count, Number rows, llvm::function_ref<Pointer(Number row)> source, Store store);

  /// Rows that are computed with at once: two tiles' columns, as one load of matrices has them.
  static constexpr int64_t rowsAtOnce = 2 * MatrixTile::columns;

private:
  static SharedRows weightRowsOf(int64_t tiles, int64_t depth, Stored stored);
  int64_t threads() const { return tiles * parts * warpSize; }
  void stageNumbers(const Storage &storage, Number rows, Number chunks, llvm::function_ref<WeightRow(Number row)> row,
                    Number first);
  void stageActivations(Number first, Number rows, Activations activations);
  KernelBuilder::Numbers multiplyStaged();
  void multiplyTurns(Number count, Number rows, llvm::function_ref<void(Number first)> stage, Store store);

  KernelBuilder &b;
  const int64_t tiles, parts, depth;
  const Stored stored;
  const SharedRows weightRows, activationRows;
  Pointer weight, staged;
  Pointer partial; ///< f32 [parts, tiles, 2, lanes, 4]
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_STAGEDPRODUCT_H
