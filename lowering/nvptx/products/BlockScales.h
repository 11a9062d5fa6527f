// What scales the sums of products of codes: a lane's rows' scales and zeros, by blocks of columns.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_BLOCKSCALES_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_BLOCKSCALES_H

#include "lowering/kernel/Weight.h"
#include "lowering/nvptx/KernelBuilder.h"
#include "lowering/nvptx/products/WeightCodes.h"

namespace moec::lowering::nvptx {

class BlockScales {
public:
  /// Whether the products of a unit share a scale.
  static bool covers(const Storage &storage);

  /// For rows of `width` columns, of which the scales of `units` neighbouring units are loaded at once.
  BlockScales(const Storage &storage, int64_t width, llvm::ArrayRef<WeightRow> rows, int64_t units);

  /// Whether the products of units are scaled before they are added up.
  bool areOfBlocks() const { return bool(storage.scale); }

  /// What the scales (and zeros) of the units from `column` on are loaded as, of every row; they may be behind the end.
  KernelBuilder::Numbers load(Number column) const;
  int64_t count() const { return areOfBlocks() ? int64_t(rows.size()) * ofRow() : 0; }
  /// A row's codes of a unit in bf16, and what sums of their products are scaled by, if they are.
  struct Decoded {
    KernelBuilder::Numbers registers;
    std::optional<Number> scale;
  };
  /// What the words of row `row` become with what was loaded for unit `unit`.
  Decoded decode(const WeightCodes &codes, llvm::ArrayRef<Number> words, llvm::ArrayRef<Number> loaded, int64_t unit,
                 int64_t row) const;
  /// totals += the products of a unit's codes, of the two rows that a lane has of a tile, with `operands` of activations.
  static void addProducts(KernelBuilder &b, const Decoded &upper, const Decoded &lower, llvm::ArrayRef<Number> operands,
                          llvm::MutableArrayRef<Number> totals);

private:
  /// Of those loaded, the scale in f32 and the zero of row `row` for unit `unit`.
  Number scale(llvm::ArrayRef<Number> loaded, int64_t unit, int64_t row) const;
  Number zero(llvm::ArrayRef<Number> loaded, int64_t unit, int64_t row) const;
  void load(Pointer row, mlir::Type element, Number column, KernelBuilder::Numbers &loaded) const;
  Number pick(llvm::ArrayRef<Number> loaded, mlir::Type element, int64_t unit) const;
  int64_t numbersOf(mlir::Type element) const;
  int64_t ofRow() const { return numbersOf(storage.scale) + (storage.hasZeros ? numbersOf(storage.element) : 0); }

  const Storage storage;
  const llvm::ArrayRef<WeightRow> rows;
  const int64_t blocksOfRow;
  const int64_t unitsOfScale, blocks; ///< units that share what is loaded, and how much that is
  const bool arePacked;               ///< neighbours are loaded as one integer, or a few
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_BLOCKSCALES_H
