// mbarrier: initialisation, arrivals, and waiting for phases.
#include "runtime/devices/emulator/PhaseBarrier.h"

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Synchronization.h"
#include "runtime/devices/emulator/Traffic.h"

using namespace moec::runtime::emulator;

namespace {
constexpr uint32_t mostArrivals = (1 << 20) - 1;

/// The token of an arrival: its phase, and what was pending before it.
uint64_t tokenOf(const PhaseBarrier &barrier) { return uint64_t(barrier.pending) << 32 | barrier.phase; }

void complete(Warp &warp, PhaseBarrier &barrier) {
  for (const PhaseBarrier::Copy &copy : barrier.copies)
    land(warp.block, copy.copy, copy.stamp);
  barrier.copies.clear();
  ++barrier.phase;
  barrier.pending = barrier.expected;
  barrier.completed.join(barrier.arriving);
  barrier.arriving.clear();
  noteProgress(warp);
}

void completeIfDue(Warp &warp, PhaseBarrier &barrier) {
  if (!barrier.pending && !barrier.bytes)
    complete(warp, barrier);
}

/// What the barrier's 8 bytes hold is nobody's business but the hardware's.
void initialise(Warp &warp, const Instruction &i) {
  Access access = accessOf(warp, i, 0, AccessKind::store);
  const uint32_t *count = warp.source<uint32_t>(i, 1);
  Staging values = {};
  store(warp, access, values, allLanes);
  forEachLane(warp.active, [&](unsigned lane) {
    if (!count[lane] || count[lane] > mostArrivals)
      return warp.report(ReportKind::trap, lane,
                         "expected 1 to " + std::to_string(mostArrivals) + " arrivals, got " + std::to_string(count[lane]));
    PhaseBarrier &barrier = warp.block.phaseBarriers[uint32_t(access.address[lane])]; // without its window
    barrier = {};
    barrier.expected = barrier.pending = count[lane];
  });
}

void invalidate(Warp &warp, const Instruction &i) {
  Access access = accessOf(warp, i, 0, AccessKind::atomic);
  forEachPhaseBarrier(warp, i, 0, [](unsigned, PhaseBarrier &) {});
  forEachLane(warp.active, [&](unsigned lane) { warp.block.phaseBarriers.erase(uint32_t(access.address[lane])); });
}

enum ArriveMode : uint8_t { plain, expectsBytes, drops };

void arriveAt(Warp &warp, const Instruction &i) {
  const uint32_t *count = i.sources > 1 ? warp.source<uint32_t>(i, 1) : nullptr;
  uint64_t tokens[laneCount] = {};
  forEachPhaseBarrier(warp, i, 0, [&](unsigned lane, PhaseBarrier &barrier) {
    tokens[lane] = tokenOf(barrier);
    if (i.mode == expectsBytes)
      barrier.bytes += count[lane];
    if (i.mode == drops)
      --barrier.expected;
    arrive(warp, lane, barrier, i.mode != expectsBytes && count ? count[lane] : 1);
  });
  advance(warp);
  ++warp.counters.barriers;
  if (i.results)
    warp.write(i, 0, tokens);
}

/// expect_tx adds to the bytes of the phase, complete_tx takes away.
template <int sign> void changeBytes(Warp &warp, const Instruction &i) {
  const uint32_t *bytes = warp.source<uint32_t>(i, 1);
  forEachPhaseBarrier(warp, i, 0, [&](unsigned lane, PhaseBarrier &barrier) {
    barrier.bytes += sign * int64_t(bytes[lane]);
    completeIfDue(warp, barrier);
  });
}

template <bool byParity, bool suspends> void waitFor(Warp &warp, const Instruction &i) {
  LaneMask done = 0;
  forEachPhaseBarrier(warp, i, 0, [&](unsigned lane, PhaseBarrier &barrier) {
    bool complete = byParity ? (barrier.phase & 1) != (warp.source<uint32_t>(i, 1)[lane] & 1)
                             : barrier.phase != uint32_t(warp.source<uint64_t>(i, 1)[lane]);
    done |= LaneMask(complete) << lane;
    if (complete)
      warp.clock.join(barrier.completed);
  });
  if (done != warp.active) {
    if (suspends)
      return warp.retry();
    warp.yield();
  }
  warp.writePredicate(i, 0, done);
}

void pendingCount(Warp &warp, const Instruction &i) {
  const uint64_t *tokens = warp.source<uint64_t>(i, 0);
  uint32_t counts[laneCount];
  for (unsigned lane = 0; lane < laneCount; ++lane)
    counts[lane] = uint32_t(tokens[lane] >> 32);
  warp.write(i, 0, counts);
}

void takeOrder(Decoder &d) {
  d.takeOne({"release", "acquire", "relaxed"}, 0);
  d.takeOne({"cta", "cluster"}, 0);
}

void decodeArrive(Decoder &d, ArriveMode mode) {
  d.instruction.mode = mode;
  if (d.take("expect_tx"))
    d.instruction.mode = expectsBytes;
  d.take("noComplete");
  takeOrder(d);
  d.expectOperands(2, 3);
  d.result(0, Type::b64);
  decodePhaseBarrierAddress(d, 1, &arriveAt);
  if (d.operands() == 3)
    d.source(2, Type::u32);
  else if (d.instruction.mode == expectsBytes)
    d.fail("expected the number of bytes");
}

void decodeWait(Decoder &d, bool suspends) {
  bool byParity = d.take("parity");
  takeOrder(d);
  d.expectOperands(3, suspends ? 4 : 3); // the last may say how long
  d.resultPredicate(0);
  decodePhaseBarrierAddress(d, 1,
                            suspends ? (byParity ? &waitFor<true, true> : &waitFor<false, true>)
                                     : (byParity ? &waitFor<true, false> : &waitFor<false, false>));
  d.source(2, byParity ? Type::u32 : Type::b64);
  d.instruction.strict = 2;
}

void decodePhaseBarrier(Decoder &d) {
  // "arrive.expect_tx" is an arrival, "expect_tx" alone is none.
  unsigned operation = d.takeOne({"init", "inval", "arrive", "arrive_drop", "test_wait", "try_wait", "pending_count"}, 7);
  bool adds = operation == 7 && d.takeOne({"expect_tx", "complete_tx"}) == 0;
  switch (operation) {
  case 0:
    d.expectOperands(2, 2);
    decodePhaseBarrierAddress(d, 0, &initialise);
    d.source(1, Type::u32);
    d.instruction.strict = 2;
    return;
  case 1:
    d.expectOperands(1, 1);
    return decodePhaseBarrierAddress(d, 0, &invalidate);
  case 2:
    return decodeArrive(d, plain);
  case 3:
    return decodeArrive(d, drops);
  case 4:
    return decodeWait(d, false);
  case 5:
    return decodeWait(d, true);
  case 6:
    d.takeType();
    d.expectOperands(2, 2);
    d.result(0, Type::u32);
    d.source(1, Type::b64);
    return d.executeWith(&pendingCount);
  default:
    takeOrder(d);
    d.expectOperands(2, 2);
    decodePhaseBarrierAddress(d, 0, adds ? &changeBytes<1> : &changeBytes<-1>);
    d.source(1, Type::u32);
    return;
  }
}
} // namespace

void moec::runtime::emulator::arrive(Warp &warp, unsigned lane, PhaseBarrier &barrier, uint32_t count) {
  if (count > barrier.pending) {
    warp.report(ReportKind::trap, lane,
                "arrives " + std::to_string(count) + " times where the phase expects " + std::to_string(barrier.pending) + " more");
    count = barrier.pending;
  }
  barrier.pending -= count;
  barrier.arriving.join(warp.clock);
  completeIfDue(warp, barrier);
}

void moec::runtime::emulator::forEachPhaseBarrier(Warp &warp, const Instruction &i, unsigned k,
                                                  const std::function<void(unsigned, PhaseBarrier &)> &body) {
  Access access = accessOf(warp, i, k, AccessKind::atomic);
  access.strong = true;
  Resolved at;
  resolve(warp, access, at);
  forEachLane(at.lanes, [&](unsigned lane) {
    uint32_t address = uint32_t(access.address[lane]); // without its window
    auto found = warp.block.phaseBarriers.find(address);
    if (found == warp.block.phaseBarriers.end())
      warp.report(ReportKind::uninitialised, lane, "there is no mbarrier at " + std::to_string(address));
    else
      body(lane, found->second);
  });
}

void moec::runtime::emulator::decodePhaseBarrierAddress(Decoder &d, size_t k, Execute execute) {
  d.instruction.space = d.takeSpace(Space::generic);
  if (d.takeType() != Type::b64)
    d.fail("expected .b64");
  d.instruction.bytes = 8;
  d.address(k);
  d.executeWith(execute);
}

std::span<const Mnemonic> moec::runtime::emulator::phaseBarrierMnemonics() {
  static constexpr Mnemonic mnemonics[] = {{"mbarrier", decodePhaseBarrier}};
  return mnemonics;
}
