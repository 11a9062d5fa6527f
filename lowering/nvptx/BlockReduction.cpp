// Reductions through a warp's shuffles and a number of each warp in shared memory.
#include "lowering/nvptx/BlockReduction.h"

using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Where the numbers of all warps are, side by side.
Pointer BlockReduction::publish(Number ofWarp) {
  Pointer numbers = partial.as(ofWarp.type());
  b.ifThen(b.lane() == 0, [&] { (numbers + b.warp()).store(ofWarp); });
  b.barrier();
  return numbers;
}

Number BlockReduction::foldInOrder(Number ofWarp, llvm::function_ref<Number(Number, Number)> combine) {
  Pointer numbers = publish(ofWarp);
  Number result = numbers.load();
  for (int64_t warp = 1; warp < warps; ++warp)
    result = combine(result, (numbers + warp).load());
  b.barrier(); // before anyone writes them again
  return result;
}

Number BlockReduction::byLane(Number ofWarp, Number none) {
  Pointer numbers = publish(ofWarp);
  Number number = b.loadIf(b.lane() < warps, numbers + b.lane(), none);
  b.barrier(); // before anyone writes them again
  return number;
}

Number BlockReduction::sum(Number value) {
  Number ofWarp = b.sumOverWarp(value);
  return value.isFloat() ? foldInOrder(ofWarp, [](Number x, Number y) { return x + y; })
                         : b.sumOverWarp(byLane(ofWarp, value.like(int64_t(0))));
}

Number BlockReduction::maximum(Number value) {
  Number ofWarp = b.maximumOverWarp(value);
  return value.isFloat() ? foldInOrder(ofWarp, [](Number x, Number y) { return lowering::maximum(x, y); })
                         : b.maximumOverWarp(byLane(ofWarp, ofWarp));
}

Number BlockReduction::sumBefore(Number value) {
  Number ofWarpsBefore = b.sumBefore(byLane(b.sumOverWarp(value), value.like(int64_t(0))));
  return b.sumBefore(value) + b.shuffleFrom(ofWarpsBefore, b.warp().toInteger(b.i32));
}
