// Rows of weights that a product takes at once: tables in scratch memory, an entry a row.
#ifndef MOEC_LOWERING_X86_WEIGHTROWS_H
#define MOEC_LOWERING_X86_WEIGHTROWS_H

#include "lowering/kernel/Weight.h"
#include "lowering/x86/KernelFrame.h"

namespace moec::lowering::x86 {

/// Whether the scales of rows stored like this are bytes. These become f32 once, before all tiles that use them.
bool hasByteScales(const Storage &storage);
/// How tiles find rows stored like this.
Storage withScalesInF32(Storage storage);

struct WeightRows {
  Pointer elements;                  ///< addresses
  Pointer scales = {}, factors = {}; ///< of quantised rows: addresses, and f32; `scales` where a row has several
  Pointer zeros = {};                ///< addresses, where blocks have zeros
  Pointer scaleNumbers = {};         ///< of byte scales: those of a tile's rows in f32, behind a table of their addresses
  double unit = 1;                   ///< what the elements that blocks give are divided by; factors make up for it

  /// The most rows that a tile has.
  static constexpr int64_t tileRows = 8;
  /// Memory for the tables of `count` rows, of quantised ones of `width` elements.
  static WeightRows allocate(KernelFrame &frame, const Storage &storage, int64_t count, int64_t width = 0);
  /// Writes the scales of the first `count` rows, of `width` elements, into `scaleNumbers`, with zeros behind them for the rest of
  /// a block, and asks for the scales of the row that follows each after `ahead` others in memory.
  void convertScales(KernelBuilder &b, const Storage &storage, int64_t count, Number width, Number ahead) const;
  void set(Number index, const WeightRow &row) const;
  /// The tables from entry `index` on.
  WeightRows from(Number index) const;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_WEIGHTROWS_H
