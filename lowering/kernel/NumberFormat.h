// Numbers of every storage type as f32.
#ifndef MOEC_LOWERING_KERNEL_NUMBERFORMAT_H
#define MOEC_LOWERING_KERNEL_NUMBERFORMAT_H

#include "lowering/kernel/Weight.h"

namespace moec::lowering {

/// The type as which numbers of `element` are loaded: of those of a byte or less, bytes.
mlir::Type inMemory(mlir::Type element);

/// Bytes that are FP8 (E4M3) in f32, each divided by `unitOfE4M3`: exact, NaN included.
Number fromE4M3(Number bytes);
inline constexpr double unitOfE4M3 = 256;

/// A float of any storage type but the narrowest in f32, as it was loaded; and the one at `place`, or `lanes` neighbours.
Number toReal(Number loaded, mlir::Type element);
Number loadNumber(Pointer place, mlir::Type element, int64_t lanes = 0);

/// What is subtracted from numbers of `element`, whose format has this zero point, in blocks whose stored zeros, bytes, these are:
/// in f32.
Number zeroPoints(Number zeros, int64_t zeroPoint, mlir::Type element);

/// Elements [column, column + lanes) of a row in f32 (one for `lanes` = 0), dequantised: all in one block, of packed ones the first
/// at an even column unless it is the only one. Their address is a multiple of `alignment` bytes.
Number loadElements(const Storage &storage, const WeightRow &row, Number column, int64_t lanes, int64_t alignment = 1);

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_NUMBERFORMAT_H
