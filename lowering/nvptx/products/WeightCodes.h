// Weights as matrix units take them, whatever their number format: codes in shared memory become bf16, exactly, in registers.
//
// What scales codes is left to the sums of products (BlockScales), where it costs little and rounds nothing.
//
// Rows are copied as they are stored, 64 bytes of each at once: a step. A step has one or more units of 32 columns, and lane i of
// the four that share a row takes columns [8 i, 8 i + 8) of each. Which of those meet in one product, and in which order, is the
// format's choice, and activations are put in the same order: a product is a sum over the depth.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_WEIGHTCODES_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_WEIGHTCODES_H

#include "lowering/kernel/Weight.h"
#include "lowering/nvptx/KernelBuilder.h"
#include "lowering/nvptx/matrix/Fragment.h"
#include "lowering/nvptx/matrix/SharedRows.h"

namespace moec::lowering::nvptx {

class WeightCodes {
public:
  /// Columns of a unit, and those of them that a lane has.
  static constexpr int64_t unitColumns = 32, laneColumns = 8;
  static constexpr int64_t productsOfUnit = unitColumns / MatrixTile::depth;
  /// Rows that the lanes of a warp copy at once, and the bytes that these take.
  static constexpr int64_t pieceRows = warpSize / PermutedRows::chunks, pieceBytes = pieceRows * PermutedRows::stride;

  /// Whether there is a way for rows of `width` columns that are stored so.
  static bool covers(const Storage &storage, int64_t width);
  WeightCodes(KernelBuilder &b, const Storage &storage, int64_t width);

  int64_t unitsOfStep() const { return PermutedRows::stride * 8 / (bits * unitColumns); }
  int64_t stepColumns() const { return unitsOfStep() * unitColumns; }
  /// Units of each of the parts whose sums are added in the end, whole steps, the last of which may reach beyond a row's end. An
  /// element of a result is the same wherever parts and units are computed.
  static constexpr int64_t parts = 4;
  int64_t unitsOfPart() const;
  /// Whether a part reaches beyond a row's end.
  bool isRagged() const { return width % (parts * unitsOfPart() * unitColumns); }

  /// Begins to copy this lane's chunk of step `step` of its row, to a piece that begins at `piece`: zeros where the row has ended.
  void beginCopy(Pointer piece, const WeightRow &row, Number step) const;
  /// Whether a lane's codes come with copies of other lanes.
  bool comeFromOthers() const { return unitsOfStep() > 1; }
  /// This lane's codes of unit `unit` of a step, of its row of a piece, in words of 32 bits.
  KernelBuilder::Numbers load(Pointer piece, Number unit) const;

  /// Registers of a unit for one row: two neighbours of the depth each, as many for the first product as for the second.
  static constexpr int64_t registers = laneColumns / 2;
  /// Vectors of four that a lane's columns of a unit are loaded in.
  static constexpr int64_t loadsOfUnit = laneColumns / 4;
  /// The registers of activations that meet those of codes, from the lane's columns of a unit in vectors of four; zeros if the unit
  /// may lie behind the end of a row and is not `isInside`.
  KernelBuilder::Numbers operandsOf(llvm::ArrayRef<Number> loaded, std::optional<Number> isInside) const;
  /// The registers that codes become. `zero` is the stored zero of their block, a byte, where blocks have one.
  KernelBuilder::Numbers decode(llvm::ArrayRef<Number> words, Number zero = {}) const;

private:
  /// Which of the lane's columns the halves of register `index` are.
  std::pair<int64_t, int64_t> columnsOf(int64_t index) const;
  Number addend(Number zero) const;
  Number poison(llvm::ArrayRef<Number> words) const;

  KernelBuilder &b;
  const Storage storage;
  const int64_t width, bits;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_WEIGHTCODES_H
