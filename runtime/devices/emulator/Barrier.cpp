// Named barriers of a block, barriers of a warp, and fences.
#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Members.h"
#include "runtime/devices/emulator/Synchronization.h"
#include "runtime/devices/emulator/Traffic.h"

using namespace moec::runtime::emulator;

namespace {
enum Operation : uint8_t { sync, arrive, reducePopulation, reduceAnd, reduceOr, operationMask = 7, inverted = 8 };

/// A value that all active lanes must have alike.
bool uniform(Warp &warp, const Instruction &i, unsigned k, uint32_t &value) {
  const uint32_t *values = warp.source<uint32_t>(i, k);
  unsigned first = unsigned(std::countr_zero(warp.active));
  value = values[first];
  bool alike = true;
  forEachLane(warp.active, [&](unsigned lane) { alike &= values[lane] == value; });
  if (!alike)
    warp.abort(ReportKind::divergent, first, "the threads name different barriers or numbers of threads");
  return alike;
}

void completePhase(Warp &last, NamedBarrier &barrier) {
  Block &block = last.block;
  Stamp next = barrier.clock.newest() + 1;
  for (unsigned number : barrier.waiting) {
    Warp &warp = block.warps[number];
    warp.clock = barrier.clock; // which holds all that the warp knew when it arrived
    warp.clock.set(number, next);
    if (warp.state == Warp::State::atBarrier)
      warp.state = Warp::State::ready;
  }
  // What was reduced goes to each warp's result.
  for (const NamedBarrier::Reduction &reduction : barrier.reductions) {
    Warp &warp = block.warps[reduction.warp];
    const Instruction &i = *reduction.instruction;
    warp.active = reduction.lanes;
    bool all = barrier.holding == barrier.counted;
    if ((i.mode & operationMask) == reducePopulation) {
      uint32_t values[laneCount];
      std::fill_n(values, laneCount, barrier.holding);
      warp.write(i, 0, values);
    } else {
      warp.writePredicate(i, 0, ((i.mode & operationMask) == reduceAnd ? all : barrier.holding != 0) ? allLanes : 0);
    }
  }
  barrier.startPhase();
  noteProgress(last);
}

/// Sources: the barrier, the number of threads if any, the predicate to reduce if any.
void barrier(Warp &warp, const Instruction &i) {
  uint32_t number, expected = warp.launch.warps() * laneCount;
  if (!uniform(warp, i, 0, number))
    return;
  unsigned k = 1;
  bool counted = i.elements == 2;
  if (counted && !uniform(warp, i, k++, expected))
    return;
  unsigned first = unsigned(std::countr_zero(warp.active));
  if (number >= warp.block.barriers.size())
    return warp.abort(ReportKind::trap, first, "there are 16 barriers, got number " + std::to_string(number));
  if (!expected || expected % laneCount || expected > warp.launch.warps() * laneCount)
    return warp.abort(ReportKind::divergent, first,
                      "expects " + std::to_string(expected) + " threads, no number of warps that the block has");
  if (LaneMask missing = warp.existing & ~warp.active) {
    bool haveLeft = missing & warp.exited;
    return warp.abort(ReportKind::divergent, unsigned(std::countr_zero(missing)),
                      haveLeft ? "the thread has exited, others of its warp wait here"
                               : "the thread is elsewhere, others of its warp wait here");
  }
  NamedBarrier &named = warp.block.barriers[number];
  if (named.arrived && named.expected != expected)
    return warp.abort(ReportKind::divergent, first,
                      "expects " + std::to_string(expected) + " threads where others expect " + std::to_string(named.expected));
  Operation operation = Operation(i.mode & operationMask);
  named.expected = expected;
  named.arrived += laneCount;
  named.clock.join(warp.clock);
  advance(warp);
  ++warp.counters.barriers;
  if (operation >= reducePopulation) {
    LaneMask holds = warp.predicate(i, k);
    holds = i.mode & inverted ? ~holds : holds;
    named.holding += unsigned(std::popcount(holds & warp.active));
    named.counted += unsigned(std::popcount(warp.active));
    named.reductions.push_back({warp.number, &i, warp.active});
  }
  if (operation != arrive) {
    named.waiting.push_back(warp.number);
    warp.state = Warp::State::atBarrier;
  }
  if (named.arrived >= named.expected)
    completePhase(warp, named);
  else
    noteProgress(warp);
}

/// bar.warp.sync members
void warpBarrier(Warp &warp, const Instruction &i) {
  checkMembers(warp, warp.source<LaneMask>(i, 0));
  advance(warp);
  ++warp.counters.barriers;
}

/// bar.sync a {, b}; barrier{.cta}.sync{.aligned} a {, b}; bar.red.popc.u32 d, a {, b}, p
void decodeBarrier(Decoder &d) {
  Instruction &i = d.instruction;
  d.take("cta");
  if (d.take("warp")) {
    d.takeOne({"sync"});
    d.expectOperands(1, 1);
    d.source(0, Type::b32);
    i.strict = 1;
    return d.executeWith(&warpBarrier);
  }
  d.take("aligned");
  unsigned kind = d.takeOne({"sync", "arrive", "red"});
  if (kind == 2) {
    i.mode = uint8_t(reducePopulation + d.takeOne({"popc", "and", "or"}));
    Type type = d.takeType();
    if (type != (i.mode == reducePopulation ? Type::u32 : Type::pred))
      d.fail("expected .u32 of a population, or .pred");
    d.expectOperands(3, 4);
    d.result(0, i.mode == reducePopulation ? type : Type::pred);
    d.source(1, Type::b32);
    if (d.operands() == 4) {
      d.source(2, Type::b32);
      i.elements = 2;
    }
    d.sourcePredicate(d.operands() - 1);
    if (d.syntax(d.operands() - 1).negated)
      i.mode |= inverted;
    i.strict = uint8_t(i.elements + 1);
  } else {
    i.mode = uint8_t(kind == 0 ? sync : arrive);
    bool all = d.take("all");
    if (all)
      d.expectOperands(1, 1);
    d.expectOperands(kind == 0 ? 1 : 2, 2);
    d.source(0, Type::b32);
    if (d.operands() == 2) {
      d.source(1, Type::b32);
      i.elements = 2;
    }
    i.strict = i.elements;
  }
  d.executeWith(&barrier);
}

void fenceMemory(Warp &warp, const Instruction &i) { fence(warp, i.scope); }
void orderNothing(Warp &, const Instruction &) {}

/// membar.{cta,gl,sys}; fence{.sc,.acq_rel,.acquire,.release}.scope; fence.proxy.* and fence.mbarrier_init, which order kinds of
/// access that are all alike here.
void decodeFence(Decoder &d) {
  bool isProxy = d.take("proxy");
  if (isProxy) {
    d.takeOne({"alias", "async", "async::generic", "async.global", "tensormap::generic"});
    d.takeSpace(Space::generic);
  }
  bool isInitialisation = d.take("mbarrier_init");
  d.takeOne({"sc", "acq_rel", "acquire", "release"}, 0);
  d.takeScope();
  d.expectOperands(0, 0);
  d.executeWith(isProxy || isInitialisation ? &orderNothing : &fenceMemory);
}

/// nanosleep: who waits is found out by what it reads.
void decodeSleep(Decoder &d) {
  d.takeType();
  d.expectOperands(1, 1);
  d.source(0, Type::u32);
  d.executeWith(&orderNothing);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::barrierMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"bar", decodeBarrier}, {"barrier", decodeBarrier}, {"membar", decodeFence},
      {"fence", decodeFence}, {"nanosleep", decodeSleep},
  };
  return mnemonics;
}
