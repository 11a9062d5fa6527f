// What the threads of a warp do together: shuffles, votes, reductions, matches.
#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Members.h"

#include <algorithm>

using namespace moec::runtime::emulator;

namespace {
enum ShuffleMode : uint8_t { up, down, butterfly, index };

/// The lane that another reads from, and whether it is in range; `clamp` holds the segment's mask above its bound.
unsigned shuffleSource(ShuffleMode mode, unsigned lane, uint32_t b, uint32_t clamp, bool &inRange) {
  int bound = int(clamp & 31), segment = int(clamp >> 8 & 31), by = int(b & 31), at = int(lane);
  int last = (at & segment) | (bound & ~segment), first = at & segment, from = at;
  switch (mode) {
  case up:
    from = at - by;
    inRange = from >= last;
    break;
  case down:
    from = at + by;
    inRange = from <= last;
    break;
  case butterfly:
    from = at ^ by;
    inRange = from <= last;
    break;
  case index:
    from = first | (by & ~segment);
    inRange = from <= last;
    break;
  }
  return inRange ? unsigned(from) & 31 : lane;
}

/// Sources: value, lane or distance, clamp, members.
void shuffle(Warp &warp, const Instruction &i) {
  checkMembers(warp, warp.source<LaneMask>(i, 3));
  const uint32_t *value = warp.source<uint32_t>(i, 0), *b = warp.source<uint32_t>(i, 1), *clamp = warp.source<uint32_t>(i, 2);
  LaneMask valueWritten = warp.writtenLanes(i, 0), resultWritten = 0, inRange = 0;
  uint32_t results[laneCount] = {};
  forEachLane(warp.active, [&](unsigned lane) {
    bool fine = false;
    unsigned from = shuffleSource(ShuffleMode(i.mode), lane, b[lane], clamp[lane], fine);
    inRange |= LaneMask(fine) << lane;
    if (!(warp.active >> from & 1))
      warp.report(ReportKind::divergent, lane, "reads from lane " + std::to_string(from) + ", which is not here");
    results[lane] = value[from];
    resultWritten |= (valueWritten >> from & 1) << lane;
  });
  warp.write(i, 0, results);
  warp.setWritten(i, 0, resultWritten);
  if (i.results == 2) {
    warp.writePredicate(i, 1, inRange);
    warp.setWritten(i, 1, allLanes);
  }
}

/// shfl.sync.mode.b32 d{|p}, a, b, c, members
void decodeShuffle(Decoder &d) {
  d.takeOne({"sync"});
  d.instruction.mode = uint8_t(d.takeOne({"up", "down", "bfly", "idx"}));
  if (d.takeType() != Type::b32)
    d.fail("expected .b32");
  d.expectOperands(5, 5);
  SyntaxOperand first = d.syntax(0);
  d.result(first, Type::b32);
  if (!first.second.empty()) {
    first.name = first.second;
    d.result(first, Type::pred);
  }
  for (size_t k = 1; k < 5; ++k)
    d.source(k, Type::b32);
  d.instruction.ownShadow = true;
  d.executeWith(&shuffle);
}

enum VoteMode : uint8_t { voteAll, voteAny, voteUniform, voteBallot, voteModes = 3, voteInverted = 4 };

void vote(Warp &warp, const Instruction &i) {
  checkMembers(warp, warp.source<LaneMask>(i, 0));
  LaneMask holds = warp.predicate(i, 1);
  holds = (i.mode & voteInverted ? ~holds : holds) & warp.active;
  bool all = holds == warp.active, any = holds;
  switch (i.mode & voteModes) {
  case voteBallot: {
    uint32_t values[laneCount];
    std::fill_n(values, laneCount, holds);
    return warp.write(i, 0, values);
  }
  case voteAll:
    return warp.writePredicate(i, 0, all ? allLanes : 0);
  case voteAny:
    return warp.writePredicate(i, 0, any ? allLanes : 0);
  default:
    return warp.writePredicate(i, 0, all || !any ? allLanes : 0);
  }
}

/// vote.sync.mode d, p, members
void decodeVote(Decoder &d) {
  d.takeOne({"sync"});
  d.instruction.mode = uint8_t(d.takeOne({"all", "any", "uni", "ballot"}));
  Type type = d.takeType();
  if (type != (d.instruction.mode == voteBallot ? Type::b32 : Type::pred))
    d.fail("expected .pred, or .b32 of a ballot");
  d.expectOperands(3, 3);
  d.result(0, type);
  d.source(2, Type::b32);
  d.sourcePredicate(1);
  d.instruction.strict = 2;
  if (d.syntax(1).negated)
    d.instruction.mode |= voteInverted;
  d.executeWith(&vote);
}

template <class T, auto combine> void reduce(Warp &warp, const Instruction &i) {
  checkMembers(warp, warp.source<LaneMask>(i, 0));
  const T *value = warp.source<T>(i, 1);
  T result = value[std::countr_zero(warp.active)];
  forEachLane(warp.active & (warp.active - 1), [&](unsigned lane) { result = combine(result, value[lane]); });
  T results[laneCount];
  std::fill_n(results, laneCount, result);
  warp.write(i, 0, results);
}
template <class T> T sum(T a, T b) { return T(uint32_t(a) + uint32_t(b)); }
template <class T> T least(T a, T b) { return std::min(a, b); }
template <class T> T most(T a, T b) { return std::max(a, b); }
uint32_t both(uint32_t a, uint32_t b) { return a & b; }
uint32_t either(uint32_t a, uint32_t b) { return a | b; }
uint32_t different(uint32_t a, uint32_t b) { return a ^ b; }

/// redux.sync.op.type d, a, members
void decodeReduce(Decoder &d) {
  d.takeOne({"sync"});
  unsigned operation = d.takeOne({"add", "min", "max", "and", "or", "xor"});
  Type type = d.takeType();
  d.expectOperands(3, 3);
  d.result(0, Type::b32);
  d.source(2, Type::b32);
  d.source(1, Type::b32);
  d.instruction.strict = 2;
  constexpr Execute ofSigned[] = {&reduce<int32_t, &sum<int32_t>>, &reduce<int32_t, &least<int32_t>>,
                                  &reduce<int32_t, &most<int32_t>>};
  constexpr Execute ofUnsigned[] = {&reduce<uint32_t, &sum<uint32_t>>, &reduce<uint32_t, &least<uint32_t>>,
                                    &reduce<uint32_t, &most<uint32_t>>};
  constexpr Execute ofBits[] = {&reduce<uint32_t, &both>, &reduce<uint32_t, &either>, &reduce<uint32_t, &different>};
  if (operation < 3)
    d.executeWith(type == Type::s32 ? ofSigned[operation] : type == Type::u32 ? ofUnsigned[operation] : nullptr);
  else
    d.executeWith(type == Type::b32 ? ofBits[operation - 3] : nullptr);
}

/// The lanes that have the same value; of `all` those of the warp, if it is the same in all.
template <class T> void match(Warp &warp, const Instruction &i) {
  checkMembers(warp, warp.source<LaneMask>(i, 0));
  const T *value = warp.source<T>(i, 1);
  uint32_t results[laneCount] = {};
  LaneMask alike = 0;
  forEachLane(warp.active, [&](unsigned lane) {
    LaneMask same = 0;
    forEachLane(warp.active, [&](unsigned other) { same |= LaneMask(value[other] == value[lane]) << other; });
    bool all = same == warp.active;
    alike |= LaneMask(all) << lane;
    results[lane] = i.mode && !all ? 0 : same;
  });
  warp.write(i, 0, results);
  if (i.results == 2)
    warp.writePredicate(i, 1, alike);
}

/// match.any.sync.type d, a, members; match.all.sync.type d{|p}, a, members
void decodeMatch(Decoder &d) {
  d.instruction.mode = uint8_t(d.takeOne({"any", "all"}));
  d.takeOne({"sync"});
  Type type = d.takeType();
  d.expectOperands(3, 3);
  SyntaxOperand first = d.syntax(0);
  d.result(first, Type::b32);
  if (!first.second.empty()) {
    first.name = first.second;
    d.result(first, Type::pred);
  }
  d.source(2, Type::b32);
  d.source(1, type);
  d.instruction.strict = 2;
  d.executeWith(type == Type::b32 ? &match<uint32_t> : type == Type::b64 ? &match<uint64_t> : nullptr);
}

void activeMask(Warp &warp, const Instruction &i) {
  uint32_t values[laneCount];
  std::fill_n(values, laneCount, warp.active);
  warp.write(i, 0, values);
}
void decodeActiveMask(Decoder &d) {
  if (d.takeType() != Type::b32)
    d.fail("expected .b32");
  d.expectOperands(1, 1);
  d.result(0, Type::b32);
  d.executeWith(&activeMask);
}

/// elect.sync d|p, members: the lowest of them.
void elect(Warp &warp, const Instruction &i) {
  checkMembers(warp, warp.source<LaneMask>(i, 0));
  unsigned first = unsigned(std::countr_zero(warp.active));
  uint32_t values[laneCount];
  std::fill_n(values, laneCount, first);
  warp.write(i, 0, values);
  warp.writePredicate(i, 1, LaneMask(1) << first);
}
void decodeElect(Decoder &d) {
  d.takeOne({"sync"});
  d.expectOperands(2, 2);
  SyntaxOperand first = d.syntax(0);
  d.result(first, Type::b32);
  first.name = first.second;
  d.result(first, Type::pred);
  d.source(1, Type::b32);
  d.instruction.strict = 1;
  d.executeWith(&elect);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::warpWideMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"shfl", decodeShuffle},          {"vote", decodeVote},   {"redux", decodeReduce}, {"match", decodeMatch},
      {"activemask", decodeActiveMask}, {"elect", decodeElect},
  };
  return mnemonics;
}
