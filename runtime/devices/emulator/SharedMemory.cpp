// Finds data races in shared memory.
#include "runtime/devices/emulator/SharedMemory.h"

using namespace moec::runtime::emulator;

namespace {
/// What decides whether one lane's access races with an event.
struct SharedAccess {
  Warp &warp;
  const Access &access;
  unsigned lane;
  const std::byte *contents;
  Stamp known; ///< events up to this stamp came before, whosever they are

  bool isSameWarp(const Event &event) const { return event.warp() == warp.number; }
  bool isOrdered(const Event &event) const { return event.stamp <= known || isOrderedInBlock(warp, lane, event); }
  bool isWithinScope(const Event &) const { return true; }
  bool isHarmless(const Event &event) const {
    unsigned other = event.lane();
    return storesTheSame(access, lane, contents + access.address[lane], isSameWarp(event) ? &other : nullptr);
  }
  void report(const Event &event, const char *does) const {
    warp.report(ReportKind::race, lane,
                std::to_string(access.bytes) + " bytes at " + std::to_string(access.address[lane]) +
                    " of shared memory, which thread " + std::to_string(event.thread) + " " + does + " at line " +
                    std::to_string(event.line));
  }
};
} // namespace

void SharedMemory::check(Warp &warp, const Access &access, const Resolved &resolved) {
  const bool writes = access.kind != AccessKind::load;
  const Stamp known = std::max(firstStamp + 1, warp.clock.oldest()) - 1;
  Event now;
  describe(now, warp, access);
  forEachLane(resolved.lanes & access.lanes, [&](unsigned lane) {
    uint32_t address = uint32_t(access.address[lane]);
    touched = std::max(touched, address + access.bytes);
    describeLane(now, warp, access, lane);
    for (unsigned byte = 0; byte < access.bytes; byte += 4)
      checkWord(words[(address + byte) / 4], now, writes, SharedAccess{warp, access, lane, contents.data(), known});
  });
}

void SharedMemory::noteLanding(uint32_t address, unsigned bytes, uint32_t thread, Stamp stamp, uint32_t line) {
  Event landing;
  landing.stamp = stamp;
  landing.line = line;
  landing.thread = uint16_t(thread);
  landing.bytes = 15;
  for (unsigned byte = 0; byte < bytes; byte += 4)
    words[(address + byte) / 4].write = landing;
}
