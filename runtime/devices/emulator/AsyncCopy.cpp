// cp.async: copies, groups, and waiting for them.
#include "runtime/devices/emulator/AsyncCopy.h"

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Synchronization.h"

using namespace moec::runtime::emulator;

namespace {
enum SourceMode : uint8_t { wholeSource, sizedSource, ignoredSource };

/// How many bytes each lane reads; the rest of its destination becomes zero.
void readBytes(Warp &warp, const Instruction &i, uint32_t (&bytes)[laneCount]) {
  const uint32_t *sizes = i.mode == sizedSource ? warp.source<uint32_t>(i, 2) : nullptr;
  LaneMask ignored = i.mode == ignoredSource ? warp.predicate(i, 2) : 0;
  forEachLane(warp.active, [&](unsigned lane) {
    bytes[lane] = ignored >> lane & 1 ? 0 : sizes ? sizes[lane] : i.bytes;
    if (bytes[lane] > i.bytes) {
      warp.report(ReportKind::outOfBounds, lane,
                  "copies " + std::to_string(bytes[lane]) + " bytes to a place of " + std::to_string(i.bytes));
      bytes[lane] = i.bytes;
    }
  });
}

/// Sources: the address in global memory, that in shared memory, the size or the predicate if any.
void copy(Warp &warp, const Instruction &i) {
  Access from;
  from.space = Space::global;
  from.kind = AccessKind::load;
  from.alignment = i.bytes;
  computeAddresses(warp, i, 0, i.sourceAddressBytes, i.sourceOffset, from);
  uint32_t bytes[laneCount];
  readBytes(warp, i, bytes);
  Staging values = {};
  // Lanes that read as much go together; mostly all do, and others nothing.
  for (LaneMask rest = warp.active; rest;) {
    from.bytes = bytes[std::countr_zero(rest)];
    from.lanes = 0;
    forEachLane(rest, [&](unsigned lane) { from.lanes |= LaneMask(bytes[lane] == from.bytes) << lane; });
    rest &= ~from.lanes;
    if (!from.bytes)
      continue;
    Resolved source;
    resolve(warp, from, source);
    forEachLane(source.lanes, [&](unsigned lane) { std::memcpy(values[lane], source.data[lane], from.bytes); });
  }
  Access to = accessOf(warp, i, 1, AccessKind::store);
  Resolved target;
  resolve(warp, to, target);
  forEachLane(target.lanes, [&](unsigned lane) {
    CopyInFlight started;
    started.thread = warp.number * laneCount + lane;
    started.group = warp.copies.groups[lane];
    started.address = uint32_t(target.data[lane] - warp.block.shared.contents.data());
    started.line = i.line;
    started.bytes = i.bytes;
    std::memcpy(started.data, values[lane], i.bytes);
    warp.copies.copies.push_back(started);
    std::memset(target.written[lane], inFlight, i.bytes);
  });
}

void commit(Warp &warp, const Instruction &) {
  forEachLane(warp.active, [&](unsigned lane) { ++warp.copies.groups[lane]; });
}

/// Lands the copies of the active lanes but those of the last `offset` groups; a negative one leaves none.
void wait(Warp &warp, const Instruction &i) {
  Stamp now = warp.clock[warp.number];
  std::erase_if(warp.copies.copies, [&](const CopyInFlight &copy) {
    unsigned lane = copy.thread % laneCount;
    bool due = warp.active >> lane & 1 && (i.offset < 0 || copy.group + i.offset < warp.copies.groups[lane]);
    if (due)
      land(warp.block, copy, now);
    return due;
  });
}

/// The phase of the barrier does not complete before the copies of the thread so far have landed.
void arriveWhenLanded(Warp &warp, const Instruction &i) {
  forEachPhaseBarrier(warp, i, 0, [&](unsigned lane, PhaseBarrier &barrier) {
    std::erase_if(warp.copies.copies, [&](const CopyInFlight &copy) {
      bool mine = copy.thread % laneCount == lane;
      if (mine)
        barrier.copies.push_back({copy, warp.clock[warp.number]});
      return mine;
    });
    // Otherwise the arrival is one more than what is expected, which leaves as many to come.
    if (i.mode)
      arrive(warp, lane, barrier, 1);
    else
      barrier.arriving.join(warp.clock);
  });
  advance(warp);
}

/// cp.async.{ca,cg}.shared.global [to], [from], bytes {, bytes to read | ignored} {, policy}
void decodeCopy(Decoder &d) {
  Instruction &i = d.instruction;
  bool bypasses = d.takeOne({"ca", "cg"}) == 1;
  if (!d.take("shared") && !d.take("shared::cta"))
    d.fail("expected .shared");
  if (!d.take("global"))
    d.fail("expected .global");
  bool hasPolicy = d.take("L2::cache_hint");
  d.takePrefixed("L2::");
  d.expectOperands(3 + hasPolicy, 4 + hasPolicy);
  d.address(1);
  i.sourceOffset = i.offset;
  i.sourceAddressBytes = i.addressBytes;
  i.addressBytes = 8;
  d.address(0);
  uint64_t bytes = d.immediate(2);
  if (bytes != 16 && (bypasses || (bytes != 4 && bytes != 8)))
    d.fail("expected 16 bytes, or with .ca 4 or 8");
  i.bytes = uint8_t(bytes);
  i.space = Space::shared;
  if (d.operands() == 4u + hasPolicy) {
    const Register *last = d.findRegister(d.syntax(3));
    i.mode = last && last->type == Type::pred ? ignoredSource : sizedSource;
    d.source(3, i.mode == ignoredSource ? Type::pred : Type::u32);
    i.strict = 3;
  }
  d.executeWith(&copy);
}

void decodeAsync(Decoder &d) {
  if (!d.take("async"))
    d.fail("expected .async");
  if (d.take("commit_group")) {
    d.expectOperands(0, 0);
    return d.executeWith(&commit);
  }
  if (d.take("wait_group")) {
    d.expectOperands(1, 1);
    d.instruction.offset = int64_t(d.immediate(0));
    if (d.instruction.offset < 0)
      d.fail("expected a number of groups");
    return d.executeWith(&wait);
  }
  if (d.take("wait_all")) {
    d.expectOperands(0, 0);
    d.instruction.offset = -1;
    return d.executeWith(&wait);
  }
  if (d.take("mbarrier")) {
    d.takeOne({"arrive"});
    d.instruction.mode = d.take("noinc");
    return decodePhaseBarrierAddress(d, 0, &arriveWhenLanded);
  }
  decodeCopy(d);
}
} // namespace

void moec::runtime::emulator::land(Block &block, const CopyInFlight &copy, Stamp stamp) {
  std::memcpy(block.shared.contents.data() + copy.address, copy.data, copy.bytes);
  std::memset(block.shared.written.data() + copy.address, isWritten, copy.bytes);
  block.shared.noteLanding(copy.address, copy.bytes, copy.thread, stamp, copy.line);
  ++block.progress;
}

std::span<const Mnemonic> moec::runtime::emulator::asyncCopyMnemonics() {
  static constexpr Mnemonic mnemonics[] = {{"cp", decodeAsync}};
  return mnemonics;
}
