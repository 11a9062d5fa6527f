// Finds data races in shared memory.
#include "runtime/devices/emulator/SharedMemory.h"

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"

using namespace moec::runtime::emulator;

/// What came before in the order of the program, or is known by way of barriers. Threads of one warp are ordered by what makes
/// their clock advance, not by executing together.
bool SharedMemory::isOrdered(const Warp &warp, unsigned lane, const SharedEvent &event) const {
  if (event.stamp <= firstStamp || event.stamp < warp.clock.oldest())
    return true;
  unsigned other = event.thread / laneCount;
  if (other != warp.number)
    return event.stamp <= warp.clock[other];
  return event.thread % laneCount == lane || event.stamp < warp.clock[other] || event.several;
}

/// Threads that store what is there already, or store the same with one instruction, do no harm.
bool SharedMemory::storesTheSame(const Warp &warp, const Access &access, unsigned lane, const SharedEvent &other) const {
  if (!access.stored)
    return false;
  const std::byte *values = (*access.stored)[lane];
  unsigned otherLane = other.thread % laneCount;
  if (other.thread / laneCount == warp.number && access.lanes >> otherLane & 1 && access.address[otherLane] == access.address[lane])
    return !std::memcmp(values, (*access.stored)[otherLane], access.bytes);
  return !std::memcmp(values, contents.data() + access.address[lane], access.bytes);
}

static void reportRace(Warp &warp, const Access &access, unsigned lane, const SharedEvent &other, const char *what) {
  warp.report(ReportKind::race, lane,
              std::to_string(access.bytes) + " bytes at " + std::to_string(access.address[lane]) +
                  " of shared memory, which thread " + std::to_string(other.thread) + " " + what + " at line " +
                  std::to_string(other.line));
}

void SharedMemory::checkWord(Warp &warp, const Access &access, unsigned lane, uint32_t index, uint8_t bytes) {
  SharedWord &word = words[index];
  auto meets = [&](const SharedEvent &event) {
    return (event.bytes & bytes) && !(event.strong && access.strong) && !isOrdered(warp, lane, event);
  };
  bool writes = access.kind != AccessKind::load;
  if (meets(word.write) && !(writes && storesTheSame(warp, access, lane, word.write)))
    reportRace(warp, access, lane, word.write, "writes");
  if (writes) {
    if (meets(word.read))
      reportRace(warp, access, lane, word.read, "reads");
    else if (meets(word.otherRead))
      reportRace(warp, access, lane, word.otherRead, "reads");
  }
  SharedEvent now;
  now.stamp = warp.clock[warp.number];
  now.line = warp.current->line;
  now.thread = uint16_t(warp.number * laneCount + lane);
  now.bytes = bytes;
  now.strong = access.strong;
  SharedEvent &last = writes ? word.write : word.read;
  bool sameWarp = last.thread / laneCount == warp.number;
  if (sameWarp && last.stamp == now.stamp) {
    now.several = last.several || (last.thread != now.thread && last.bytes != now.bytes);
    now.bytes |= last.bytes;
  } else if (!writes && !sameWarp) {
    word.otherRead = last;
  }
  last = now;
}

void SharedMemory::check(Warp &warp, const Access &access, const Resolved &resolved) {
  forEachLane(resolved.lanes & access.lanes, [&](unsigned lane) {
    uint32_t address = uint32_t(access.address[lane]);
    if (access.bytes < 4)
      return checkWord(warp, access, lane, address / 4, uint8_t(((1 << access.bytes) - 1) << address % 4));
    for (unsigned byte = 0; byte < access.bytes; byte += 4)
      checkWord(warp, access, lane, (address + byte) / 4, 15);
  });
}

void SharedMemory::noteLanding(uint32_t address, unsigned bytes, uint32_t thread, Stamp stamp, uint32_t line) {
  SharedEvent landing;
  landing.stamp = stamp;
  landing.line = line;
  landing.thread = uint16_t(thread);
  landing.bytes = 15;
  for (unsigned byte = 0; byte < bytes; byte += 4)
    words[(address + byte) / 4].write = landing;
}
