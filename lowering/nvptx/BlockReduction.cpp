// Reductions through a warp's shuffles and a word of shared memory for each warp.
#include "lowering/nvptx/BlockReduction.h"

using namespace moec::lowering;
using namespace moec::lowering::nvptx;

Number BlockReduction::fold(Number ofWarp, llvm::function_ref<Number(Number, Number)> combine) {
  b.ifThen(b.lane() == 0, [&] { (partial + b.warp()).store(ofWarp); });
  b.barrier();
  Number result = partial.load();
  for (int64_t warp = 1; warp < warps; ++warp)
    result = combine(result, (partial + warp).load());
  b.barrier(); // before anyone writes the words again
  return result;
}

Number BlockReduction::sum(Number value) {
  return fold(b.sumOverWarp(value), [](Number x, Number y) { return x + y; });
}

Number BlockReduction::maximum(Number value) {
  return fold(b.maximumOverWarp(value), [](Number x, Number y) { return lowering::maximum(x, y); });
}
