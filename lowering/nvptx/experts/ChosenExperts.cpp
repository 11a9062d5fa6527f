// Pieces are counted and found by the lanes together.
#include "lowering/nvptx/experts/ChosenExperts.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

ChosenExperts::ChosenExperts(KernelBuilder &b, Pointer offsets, int64_t experts, int64_t longest, Pointer memory)
    : b(b), offsets(offsets), longest(longest) {
  const int64_t ofLane = llvm::divideCeil(experts, warpSize);
  Number before = b.integer32(0);
  for (int64_t base = 0; base < experts; base += warpSize) {
    Number expert = b.lane() + base, isExpert = expert < experts;
    auto offset = [&](int64_t i) { return b.loadIf(isExpert, offsets + expert + i, b.integer32(0)).toInteger(b.i64); };
    Number pieces = ((offset(1) - offset(0) + (longest - 1)) / longest).toInteger(b.i32);
    Number first = before + b.sumBefore(pieces);
    firsts.push_back(memory + ((b.warp() * ofLane + base / warpSize) * warpSize + b.lane()));
    firsts.back().store(first);
    before = b.shuffleFrom(first + pieces, b.integer32(warpSize - 1));
  }
  total = before.toInteger(b.i64);
}

ChosenExperts::Piece ChosenExperts::at(Number place) const {
  // The last expert whose first piece is not behind it: those without pieces have the same first as the next one that has some.
  Number wanted = place.toInteger(b.i32), count = b.integer32(0), first = b.integer32(0);
  for (Pointer stored : firsts) {
    Number own = stored.load();
    Number lanes = b.countLanes(b.ballot(own <= wanted)), last = maximum(lanes - 1, lanes.like(int64_t(0)));
    count = count + lanes;
    first = select(lanes != 0, b.shuffleFrom(own, last), first);
  }
  Number expert = count.toInteger(b.i64) - 1;
  auto offset = [&](int64_t i) { return (offsets + expert + i).load().toInteger(b.i64); };
  Number begin = offset(0) + (wanted - first).toInteger(b.i64) * longest;
  return {expert, begin, minimum(begin + longest, offset(1))};
}
