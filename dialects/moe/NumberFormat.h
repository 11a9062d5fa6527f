// Which scales go with which values.
#ifndef MOEC_DIALECTS_MOE_NUMBERFORMAT_H
#define MOEC_DIALECTS_MOE_NUMBERFORMAT_H

#include "dialects/moe/MoE.h"

namespace moec::moe {

/// Whether moe.dequantize could be given values of `values`, of rank 2 or 3, with `scales`, and `global` and `zeros`, which may be
/// null.
bool fitsNumberFormat(NumberFormatAttr format, mlir::RankedTensorType values, mlir::RankedTensorType scales,
                      mlir::RankedTensorType global, mlir::RankedTensorType zeros);

/// What is subtracted from numbers of a block whose zero is stored as `zero`, numbers being of type `element`.
int64_t zeroPointOf(NumberFormatAttr format, int64_t zero, mlir::Type element);

/// Which row of a tensor of `scales` has those of row `row` of entry `entry` of the values: of matrices of `rows` rows each, or
/// one.
int64_t scaleRowOf(NumberFormatAttr format, int64_t entry, int64_t row, int64_t rows, llvm::ArrayRef<int64_t> scales, bool isStack);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_NUMBERFORMAT_H
