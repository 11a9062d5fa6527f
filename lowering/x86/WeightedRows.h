// Sums of rows by weights: result[m][d] += sum over s of weights[m][s] rows[s][d], where the rows are contiguous along d.
#ifndef MOEC_LOWERING_X86_WEIGHTEDROWS_H
#define MOEC_LOWERING_X86_WEIGHTEDROWS_H

#include "lowering/x86/KernelBuilder.h"

namespace moec::lowering::x86 {

/// Rows of a matrix: row i is `stride` elements after row i - 1.
struct Matrix {
  Pointer base;
  int64_t stride;
  Pointer row(Number index) const { return base + index * stride; }
};

/// Adds `count` rows (f32, f16 or bf16) by their weights (f32) to the `width` elements of each of `resultRows` rows of results.
/// Each element of the result takes the rows in order, one fused multiply-add each, however many there are around it.
void addWeightedRows(KernelBuilder &b, Matrix weights, Matrix rows, Number count, Matrix result, Number resultRows, int64_t width);

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_WEIGHTEDROWS_H
