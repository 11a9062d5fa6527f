// Who touched a word of memory last, and whether a further access races with them.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_RACES_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_RACES_H

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Clock.h"

#include <cstring>
#include <string>

namespace moec::runtime::emulator {

/// An access of one thread to a word.
struct Event {
  Stamp stamp = 0; ///< of the warp; 0 for nobody
  uint32_t line = 0;
  uint16_t thread = 0; ///< of the block
  uint8_t bytes = 0;   ///< of the word, a bit each
  bool strong : 1 = false;
  Scope scope : 1 = Scope::block; ///< of a strong one
  bool several : 1 = false;       ///< further threads of the warp touched other bytes at the same stamp

  unsigned warp() const { return thread / laneCount; }
  unsigned lane() const { return thread % laneCount; }
};

/// A word's last write, last read, and last read by another warp than that. Of which kind the events are the memory decides.
template <class Event> struct Word {
  Event write, read, otherRead;
};

/// Notes what an access is for those who come later, of all its lanes.
inline void describe(Event &event, const Warp &warp, const Access &access) {
  event.stamp = warp.clock[warp.number];
  event.line = warp.current->line;
  event.strong = access.strong;
  event.scope = access.scope;
}
/// Likewise of one lane, in each word that it touches.
inline void describeLane(Event &event, const Warp &warp, const Access &access, unsigned lane) {
  event.thread = uint16_t(warp.number * laneCount + lane);
  event.bytes = access.bytes < 4 ? uint8_t(((1u << access.bytes) - 1) << access.address[lane] % 4) : 15;
}

/// Whether an event of the same block came before, in the order of the program or as barriers tell. Threads of one warp are ordered
/// by what makes their clock advance, not by executing together.
inline bool isOrderedInBlock(const Warp &warp, unsigned lane, const Event &event) {
  if (event.warp() != warp.number)
    return event.stamp <= warp.clock[event.warp()];
  return event.lane() == lane || event.stamp < warp.clock[warp.number] || event.several;
}

/// Whether a store does no harm: it stores what `memory` holds already, or another lane of this warp (if any did it) stores the
/// same with the same instruction.
inline bool storesTheSame(const Access &access, unsigned lane, const std::byte *memory, const unsigned *otherLane) {
  if (!access.stored)
    return false;
  bool together = otherLane && access.lanes >> *otherLane & 1 && access.address[*otherLane] == access.address[lane];
  return !std::memcmp((*access.stored)[lane], together ? (*access.stored)[*otherLane] : memory, access.bytes);
}

/// Reports what an access races with, and remembers it as `now`. The memory says
///   isOrdered(event)      whether it came before,
///   isWithinScope(event)  whether a strong one concerns the thread that accesses,
///   isHarmless(event)     whether a store may race with that write,
///   isSameWarp(event)     whether it is one of the warp that accesses,
///   report(event, does)   that the access races with it.
template <class Event, class Memory> void checkWord(Word<Event> &word, Event now, bool writes, const Memory &memory) {
  auto meets = [&](const Event &event) {
    return !memory.isOrdered(event) && (event.bytes & now.bytes) && !(event.strong && now.strong && memory.isWithinScope(event));
  };
  if (meets(word.write) && !(writes && memory.isHarmless(word.write)))
    memory.report(word.write, "writes");
  if (writes && meets(word.read))
    memory.report(word.read, "reads");
  else if (writes && meets(word.otherRead))
    memory.report(word.otherRead, "reads");
  Event &last = writes ? word.write : word.read;
  if (!memory.isSameWarp(last)) {
    if (!writes)
      word.otherRead = last;
  } else if (last.stamp == now.stamp) {
    now.several = last.several || (last.thread != now.thread && last.bytes != now.bytes);
    now.bytes |= last.bytes;
  }
  last = now;
}

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_RACES_H
