// What matrix units and asynchronous copies do, as functions of numbers.
#ifndef MOEC_LOWERING_NVPTX_MATRIX_MATRIXUNITS_H
#define MOEC_LOWERING_NVPTX_MATRIX_MATRIXUNITS_H

#include "lowering/nvptx/KernelBuilder.h"
#include "lowering/nvptx/matrix/Fragment.h"
#include "lowering/nvptx/matrix/SharedRows.h"

namespace moec::lowering::nvptx {

/// Registers of a lane: its part of A, of B, and of C and D in order.
inline constexpr int64_t leftRegisters = 4, rightRegisters = 2, accumulators = MatrixTile::rows * MatrixTile::columns / warpSize;

/// sums += left right, of one tile.
void multiplyAdd(KernelBuilder &b, llvm::ArrayRef<Number> left, llvm::ArrayRef<Number> right, llvm::MutableArrayRef<Number> sums);

/// Two f32 rounded to bf16, the first in the lower half of an i32; also as a vector of two.
Number packBf16(Number first, Number second);
Number packBf16(Number two);

/// Where this lane points in rows at `base` to load 16 of them by two chunks; `load` gives four registers from there on.
Pointer laneAddress(KernelBuilder &b, MatrixLoad load, const SharedRows &layout, Pointer base);
KernelBuilder::Numbers loadMatrices(KernelBuilder &b, MatrixLoad load, Pointer laneAddress);

/// Begins to copy a chunk from global to shared memory, or zeros if it is not `isInside`.
void beginCopy(KernelBuilder &b, Pointer to, Pointer from, Number isInside);
/// The copies begun since the last call are a group; waits until all but the last `groups` of this thread's have landed.
void closeGroup(KernelBuilder &b);
void awaitGroups(KernelBuilder &b, int64_t groups);

/// Begins to copy rows to shared memory by all `threads` of the block: of `layout`'s rows and chunks the first `rows` and `chunks`,
/// from `source(row)` on; the others become zeros.
void beginCopy(KernelBuilder &b, int64_t threads, const SharedRows &layout, Pointer to, Number rows, Number chunks,
               llvm::function_ref<Pointer(Number row)> source);
/// Waits until all of this thread's copies have landed, in groups or not.
void finishCopies(KernelBuilder &b);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_MATRIX_MATRIXUNITS_H
