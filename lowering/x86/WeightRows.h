// Rows of weights that a product takes at once: tables in scratch memory, an entry a row.
#ifndef MOEC_LOWERING_X86_WEIGHTROWS_H
#define MOEC_LOWERING_X86_WEIGHTROWS_H

#include "lowering/kernel/Weight.h"
#include "lowering/x86/KernelFrame.h"

namespace moec::lowering::x86 {

struct WeightRows {
  Pointer elements;                  ///< addresses
  Pointer scales = {}, factors = {}; ///< of quantised rows: addresses, and f32; `scales` where a row has several
  Pointer zeros = {};                ///< addresses, where blocks have zeros
  double unit = 1;                   ///< what the elements that blocks give are divided by; factors make up for it

  /// Memory for the tables of `count` rows.
  static WeightRows allocate(KernelFrame &frame, const Storage &storage, int64_t count);
  void set(Number index, const WeightRow &row) const;
  /// The tables from entry `index` on.
  WeightRows from(Number index) const;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_WEIGHTROWS_H
