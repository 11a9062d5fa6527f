// The length of a list by a warp: first which of 32 parts it ends in, then where.
#include "lowering/nvptx/positions/PositionLists.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

Number PositionLists::lengthOf(Number token) const {
  Pointer list = listOf(token);
  /// How many of the `count` entries from `first` on, `step` apart, are any; at most a warp's.
  auto countFrom = [&](Number first, int64_t step, Number count) {
    Number index = minimum(first + b.lane() * step, b.integer(listed - 1));
    return b.countLanes(b.ballot((b.lane() < count) & ((list + index).load() >= 0)));
  };
  int64_t part = llvm::divideCeil(listed, warpSize);
  Number parts = countFrom(b.integer(0), part, b.integer(llvm::divideCeil(listed, part))).toUnsigned(b.i64);
  Number first = maximum(parts - 1, b.integer(0)) * part, end = minimum(first + part, b.integer(listed));
  if (part <= warpSize)
    return first + countFrom(first, 1, end - first).toUnsigned(b.i64);
  Number length = b.forRange(first, end, warpSize, {b.integer32(0)}, [&](Number at, ArrayRef<Number> before) {
    return KernelBuilder::Numbers{before[0] + countFrom(at, 1, end - at)};
  })[0];
  return first + length.toUnsigned(b.i64);
}
