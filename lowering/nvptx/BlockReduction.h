// One number from all threads of a block.
#ifndef MOEC_LOWERING_NVPTX_BLOCKREDUCTION_H
#define MOEC_LOWERING_NVPTX_BLOCKREDUCTION_H

#include "lowering/nvptx/KernelFrame.h"

namespace moec::lowering::nvptx {

class BlockReduction {
public:
  /// For blocks of `threads`, a multiple of a warp's, and numbers of that type or of integers of no more bits.
  BlockReduction(KernelFrame &frame, int64_t threads, mlir::Type widest)
      : b(frame.b), warps(threads / warpSize), partial(frame.allocateShared(widest, warps)) {}
  BlockReduction(KernelFrame &frame, int64_t threads) : BlockReduction(frame, threads, frame.b.f32) {}

  /// The sum (largest) of every thread's `value`, in every thread: within warps, then over warps, of floats in order.
  Number sum(Number value);
  Number maximum(Number value);
  /// The sum of integers over the threads before this one.
  Number sumBefore(Number value);
  /// In lane i of each warp the number of warp i, or `none`.
  Number byLane(Number ofWarp, Number none);

private:
  Pointer publish(Number ofWarp);
  Number foldInOrder(Number ofWarp, llvm::function_ref<Number(Number, Number)> combine);

  KernelBuilder &b;
  int64_t warps;
  Pointer partial; ///< a number of each warp
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_BLOCKREDUCTION_H
