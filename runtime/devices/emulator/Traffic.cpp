// Sectors of global memory and banks of shared memory.
#include "runtime/devices/emulator/Traffic.h"

#include "runtime/devices/emulator/Block.h"

#include <algorithm>

using namespace moec::runtime::emulator;

namespace {
/// The different sectors of an access, ascending; returns how many.
unsigned sectorsOf(const Access &access, LaneMask lanes, uint64_t (&sectors)[2 * laneCount]) {
  unsigned count = 0;
  bool ascending = true;
  auto add = [&](uint64_t sector) {
    if (count && sectors[count - 1] == sector)
      return;
    ascending &= !count || sectors[count - 1] < sector;
    sectors[count++] = sector;
  };
  forEachLane(lanes, [&](unsigned lane) {
    uint64_t first = access.address[lane] / sectorBytes, last = (access.address[lane] + access.bytes - 1) / sectorBytes;
    add(first);
    if (last != first)
      add(last);
  });
  if (!ascending) {
    std::sort(sectors, sectors + count);
    count = unsigned(std::unique(sectors, sectors + count) - sectors);
  }
  return count;
}

/// The most words that one bank has to serve for a group of lanes.
unsigned mostWords(const Access &access, unsigned firstLane, unsigned lanes) {
  uint32_t words[laneCount][4]; // of a bank, the different ones: more than four are looked for in all
  uint8_t count[laneCount] = {};
  unsigned most = 0;
  for (unsigned lane = firstLane; lane < firstLane + lanes; ++lane) {
    if (!(access.lanes >> lane & 1))
      continue;
    for (unsigned byte = 0; byte < access.bytes; byte += 4) {
      uint32_t word = uint32_t(access.address[lane] + byte) / 4, bank = word % laneCount;
      unsigned known = std::min<unsigned>(count[bank], 4);
      if (std::find(words[bank], words[bank] + known, word) != words[bank] + known)
        continue;
      if (known < 4)
        words[bank][known] = word;
      most = std::max<unsigned>(most, ++count[bank]);
    }
  }
  return most;
}

/// The same, quickly where no bank is asked for a second word.
unsigned wavefronts(const Access &access, unsigned firstLane, unsigned lanes) {
  uint32_t words[laneCount]; // of the banks that are asked
  LaneMask asked = 0;
  for (unsigned lane = firstLane; lane < firstLane + lanes; ++lane) {
    if (!(access.lanes >> lane & 1))
      continue;
    for (unsigned byte = 0; byte < access.bytes; byte += 4) {
      uint32_t word = uint32_t(access.address[lane] + byte) / 4, bank = word % laneCount;
      if (!(asked >> bank & 1))
        words[bank] = word;
      else if (words[bank] != word)
        return mostWords(access, firstLane, lanes);
      asked |= LaneMask(1) << bank;
    }
  }
  return asked != 0;
}
} // namespace

void moec::runtime::emulator::countGlobal(Warp &warp, const Access &access, LaneMask lanes) {
  if (!lanes)
    return;
  uint64_t sectors[2 * laneCount];
  unsigned count = sectorsOf(access, lanes, sectors);
  unsigned bytes = unsigned(std::popcount(lanes)) * access.bytes;
  Counters &counters = warp.counters;
  if (access.kind == AccessKind::store) {
    counters.globalBytesStored += bytes;
    counters.globalSectorsStored += count;
    return;
  }
  if (access.kind == AccessKind::atomic) {
    counters.globalAtomics += unsigned(std::popcount(lanes));
    return;
  }
  counters.globalBytesLoaded += bytes;
  counters.globalSectorsLoaded += count;
  for (unsigned k = 0; k < count; ++k) {
    Allocation *allocation = warp.lastAllocation;
    uint64_t address = std::max(sectors[k] * sectorBytes, allocation->begin);
    if (address >= allocation->end() || sectors[k] < allocation->firstSector())
      allocation = warp.launch.memory.find(sectors[k] * sectorBytes);
    if (!allocation)
      continue;
    uint64_t bit = sectors[k] - allocation->firstSector();
    std::atomic<uint64_t> &word = allocation->loaded[bit / 64];
    uint64_t mask = uint64_t(1) << bit % 64;
    if (!(word.load(std::memory_order_relaxed) & mask))
      word.fetch_or(mask, std::memory_order_relaxed);
  }
}

void moec::runtime::emulator::countWavefronts(Warp &warp, const Access &access) {
  unsigned lanesAtOnce = std::min(laneCount, 4 * laneCount / std::max(access.bytes, 4u));
  for (unsigned lane = 0; lane < laneCount; lane += lanesAtOnce)
    if (unsigned needed = wavefronts(access, lane, lanesAtOnce)) {
      ++warp.counters.sharedAccesses;
      warp.counters.bankConflicts += needed - 1;
    }
}

void moec::runtime::emulator::noteProgress(Warp &warp) {
  ++warp.block.progress;
  warp.launch.progress.fetch_add(1, std::memory_order_relaxed);
}
