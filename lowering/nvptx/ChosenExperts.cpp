// Pieces are counted and found by the lanes together.
#include "lowering/nvptx/ChosenExperts.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

ChosenExperts::ChosenExperts(KernelBuilder &b, Pointer offsets, int64_t experts, int64_t longest) : b(b), longest(longest) {
  for (int64_t base = 0; base < experts; base += warpSize) {
    Number expert = b.lane() + base, isExpert = expert < experts;
    auto offset = [&](int64_t i) { return b.loadIf(isExpert, offsets + expert + i, b.integer32(0)).toInteger(b.i64); };
    own.push_back({expert, offset(0), offset(1), {}, {}});
  }
  total = b.integer(0);
  for (Own &mine : own) {
    mine.pieces = (mine.end - mine.begin + (longest - 1)) / longest;
    Number before = b.sumBefore(mine.pieces.toInteger(b.i32)).toInteger(b.i64);
    mine.first = total + before;
    Number last = b.shuffleFrom((before + mine.pieces).toInteger(b.i32), b.integer32(warpSize - 1));
    total = total + last.toInteger(b.i64);
  }
}

ChosenExperts::Piece ChosenExperts::at(Number place) const {
  Number none = b.integer32(0), expert = none, begin = none, end = none;
  for (const Own &mine : own) {
    Number inExpert = place - mine.first, isIt = (inExpert >= 0) & (inExpert < mine.pieces);
    Number holders = b.ballot(isIt), isHere = holders != 0, holder = select(isHere, b.firstLane(holders), none);
    auto take = [&](Number &value, Number of) { value = select(isHere, b.shuffleFrom(of.toInteger(b.i32), holder), value); };
    Number from = mine.begin + inExpert * longest;
    take(expert, mine.expert);
    take(begin, from);
    take(end, minimum(from + longest, mine.end));
  }
  return {expert.toInteger(b.i64), begin.toInteger(b.i64), end.toInteger(b.i64)};
}
