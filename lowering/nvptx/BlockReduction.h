// One number from all threads of a block.
#ifndef MOEC_LOWERING_NVPTX_BLOCKREDUCTION_H
#define MOEC_LOWERING_NVPTX_BLOCKREDUCTION_H

#include "lowering/nvptx/KernelFrame.h"

namespace moec::lowering::nvptx {

class BlockReduction {
public:
  /// For blocks of `threads`, a multiple of a warp's.
  BlockReduction(KernelFrame &frame, int64_t threads)
      : b(frame.b), warps(threads / warpSize), partial(frame.allocateShared(b.f32, warps)) {}

  /// The sum (largest) of every thread's `value`, in every thread: within warps, then over warps in order.
  Number sum(Number value);
  Number maximum(Number value);

private:
  Number fold(Number ofWarp, llvm::function_ref<Number(Number, Number)> combine);

  KernelBuilder &b;
  int64_t warps;
  Pointer partial;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_BLOCKREDUCTION_H
