// What one warp of MatrixProduct adds up: its part of the depth of 16 rows of weights and some tiles of activations.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_WARPSUMS_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_WARPSUMS_H

#include "lowering/nvptx/matrix/MatrixUnits.h"
#include "lowering/nvptx/products/BlockScales.h"
#include "lowering/nvptx/products/WeightCodes.h"

namespace moec::lowering::nvptx {

class WarpSums {
public:
  using Numbers = KernelBuilder::Numbers;

  /// Steps are copied `ahead` of their use, a power of two, to `memory`. `weights` are a lane's rows, two for each group,
  /// `activations` its row of each tile.
  WarpSums(KernelBuilder &b, const WeightCodes &codes, const Storage &storage, int64_t width, int64_t ahead, Pointer memory,
           llvm::ArrayRef<WeightRow> weights, llvm::ArrayRef<Pointer> activations);

  /// The accumulators of [group, tile], scaled.
  Numbers compute();

private:
  /// Between turns: what has been summed up, and what was loaded ahead for the next turn.
  struct Carried {
    Numbers sums, activations, scales;
    Numbers flat() const;
  };
  Carried split(llvm::ArrayRef<Number> flat) const;
  /// Multiplies units [first, first + count) of this warp's, and loads ahead for those behind a whole turn.
  Carried turn(Number first, int64_t count, Carried given);

  Number column(Number unit) const; ///< the first of a unit of this warp's
  Pointer slot(Number step) const;
  void beginStep(Number step);
  /// The words of a step of all rows, by unit; begins to copy the step that is to lie there next.
  llvm::SmallVector<Numbers> takeStep(Number step);
  Numbers loadActivations(Number firstUnit) const;
  /// The right operands of unit `unit`, for which `loaded` was loaded, of each tile.
  llvm::SmallVector<Numbers> operands(Number unit, llvm::ArrayRef<Number> loaded) const;
  Numbers loadScales(Number firstUnit) const;
  void multiply(llvm::ArrayRef<Numbers> words, llvm::ArrayRef<Number> scales, int64_t inStep, llvm::ArrayRef<Numbers> right,
                llvm::MutableArrayRef<Number> sums) const;

  KernelBuilder &b;
  const WeightCodes &codes;
  const BlockScales scales;
  const llvm::ArrayRef<WeightRow> weights;
  const llvm::ArrayRef<Pointer> activations;
  const Pointer memory;
  const int64_t width, ahead, groups, tiles;
  const int64_t units, steps; ///< of this warp
  const int64_t unitsOfBatch; ///< whose activations are loaded at once
  const int64_t unitsOfTurn;  ///< of the loop
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_WARPSUMS_H
