// What scales the sums of products of codes: a lane's rows' scales and zeros, by blocks of columns.
#ifndef MOEC_LOWERING_NVPTX_BLOCKSCALES_H
#define MOEC_LOWERING_NVPTX_BLOCKSCALES_H

#include "lowering/kernel/Weight.h"
#include "lowering/nvptx/KernelBuilder.h"

namespace moec::lowering::nvptx {

class BlockScales {
public:
  /// Whether the products of a unit share a scale.
  static bool covers(const Storage &storage);
  /// Units of a step that do.
  static int64_t unitsOfScale(const Storage &storage, int64_t unitsOfStep);

  BlockScales(const Storage &storage, int64_t width, llvm::ArrayRef<WeightRow> rows) : storage(storage), width(width), rows(rows) {}

  /// Whether the products of units are scaled before they are added up.
  bool areOfBlocks() const { return bool(storage.scale); }

  /// What the scales (and zeros) at `column` are loaded as, of every row; it may be behind the end.
  KernelBuilder::Numbers load(Number column) const;
  /// Of those loaded, the scale in f32 and the zero of row `row`.
  Number scale(llvm::ArrayRef<Number> loaded, int64_t row) const;
  Number zero(llvm::ArrayRef<Number> loaded, int64_t row) const;
  int64_t count() const { return areOfBlocks() ? int64_t(rows.size()) * ofRow() : 0; } ///< of what is loaded

private:
  int64_t ofRow() const { return storage.hasZeros ? 2 : 1; }

  const Storage storage;
  const int64_t width;
  const llvm::ArrayRef<WeightRow> rows;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_BLOCKSCALES_H
