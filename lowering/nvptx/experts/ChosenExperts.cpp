// Pieces are counted and found by the lanes together.
#include "lowering/nvptx/experts/ChosenExperts.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

ChosenExperts::ChosenExperts(KernelBuilder &b, Pointer offsets, int64_t experts, std::optional<int64_t> longest, Pointer memory)
    : b(b), offsets(offsets), longest(longest) {
  const int64_t ofLane = llvm::divideCeil(experts, warpSize);
  Number before = b.integer32(0);
  for (int64_t base = 0; base < experts; base += warpSize) {
    Number expert = b.lane() + base, isExpert = expert < experts;
    auto offset = [&](int64_t i) { return b.loadIf(isExpert, offsets + expert + i, b.integer32(0)).toInteger(b.i64); };
    Number count = offset(1) - offset(0);
    Number pieces =
        longest ? ((count + (*longest - 1)) / *longest).toInteger(b.i32) : select(count > 0, b.integer32(1), b.integer32(0));
    Number first = before + b.sumBefore(pieces);
    if (!longest && ofLane == 1) {
      onlyFirst = first;
    } else {
      firsts.push_back(memory + ((b.warp() * ofLane + base / warpSize) * warpSize + b.lane()));
      firsts.back().store(first);
    }
    before = b.shuffleFrom(first + pieces, b.integer32(int32_t(std::min(experts - base, warpSize)) - 1));
  }
  total = before.toInteger(b.i64);
}

ChosenExperts::Piece ChosenExperts::at(Number place) const {
  // The last expert whose first piece is not behind it: those without pieces have the same first as the next one that has some.
  Number wanted = place.toInteger(b.i32), count = b.integer32(0), first = b.integer32(0);
  auto lookAt = [&](Number own) {
    Number lanes = b.countLanes(b.ballot(own <= wanted));
    count = count + lanes;
    if (longest)
      first = select(lanes != 0, b.shuffleFrom(own, maximum(lanes - 1, lanes.like(int64_t(0)))), first);
  };
  if (onlyFirst)
    lookAt(*onlyFirst);
  for (Pointer stored : firsts)
    lookAt(stored.load());
  Number expert = count.toInteger(b.i64) - 1;
  auto offset = [&](int64_t i) { return (offsets + expert + i).loadIndex(); };
  if (!longest)
    return {expert, offset(0), offset(1)};
  Number begin = offset(0) + (wanted - first).toInteger(b.i64) * *longest;
  return {expert, begin, minimum(begin + *longest, offset(1))};
}
