// Finds data races in global memory, within a block and between blocks.
#include "runtime/devices/emulator/GlobalRaces.h"

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"

using namespace moec::runtime::emulator;

namespace {
/// Held for a few instructions at a time.
class Holding {
public:
  explicit Holding(std::atomic_flag &flag) : flag(flag) {
    while (flag.test_and_set(std::memory_order_acquire))
      ;
  }
  ~Holding() { flag.clear(std::memory_order_release); }

private:
  std::atomic_flag &flag;
};

bool isOrdered(const Warp &warp, unsigned lane, const GlobalEvent &event) {
  const Block &block = warp.block;
  if (event.launch != warp.launch.number)
    return true;
  if (event.block != block.index)
    return block.hasAcquired(event.block, event.epoch);
  unsigned other = event.thread / laneCount;
  if (other != warp.number)
    return event.stamp <= warp.clock[other];
  return event.thread % laneCount == lane || event.stamp < warp.clock[other] || event.several;
}

/// As in shared memory: storing what is there, or the same with one instruction, does no harm.
bool storesTheSame(const Warp &warp, const Access &access, unsigned lane, const GlobalEvent &other) {
  if (!access.stored)
    return false;
  const std::byte *values = (*access.stored)[lane];
  unsigned otherLane = other.thread % laneCount;
  if (other.block == warp.block.index && other.thread / laneCount == warp.number && access.lanes >> otherLane & 1 &&
      access.address[otherLane] == access.address[lane])
    return !std::memcmp(values, (*access.stored)[otherLane], access.bytes);
  return !std::memcmp(values, reinterpret_cast<const std::byte *>(access.address[lane]), access.bytes);
}

void reportRace(Warp &warp, const Access &access, unsigned lane, const GlobalEvent &other, const char *what) {
  char address[24];
  snprintf(address, sizeof address, "0x%llx", static_cast<unsigned long long>(access.address[lane]));
  warp.report(ReportKind::race, lane,
              std::to_string(access.bytes) + " bytes at " + address + ", which block " + std::to_string(other.block) + " thread " +
                  std::to_string(other.thread) + " " + what + " at line " + std::to_string(other.line));
}
} // namespace

void GlobalRaces::reserve(uint64_t begin, uint64_t bytes) {
  firstWord = begin / 4;
  pageCount = ((begin + bytes - 1) / 4 - firstWord) / pageWords + 1;
  pages = std::make_unique<std::atomic<Page *>[]>(pageCount);
  growing = std::make_unique<std::atomic_flag>();
}

GlobalRaces::Page &GlobalRaces::page(uint64_t index) {
  if (Page *known = pages[index].load(std::memory_order_acquire))
    return *known;
  Holding holding(*growing);
  if (Page *known = pages[index].load(std::memory_order_acquire))
    return *known;
  owned.push_back(std::make_unique<Page>());
  pages[index].store(owned.back().get(), std::memory_order_release);
  return *owned.back();
}

void GlobalRaces::checkWord(Warp &warp, const Access &access, unsigned lane, GlobalWord &word, uint8_t bytes) {
  auto meets = [&](const GlobalEvent &event) {
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
  GlobalEvent now;
  now.launch = warp.launch.number;
  now.block = uint32_t(warp.block.index);
  now.stamp = warp.clock[warp.number];
  now.epoch = warp.block.fences;
  now.line = warp.current->line;
  now.thread = uint16_t(warp.number * laneCount + lane);
  now.bytes = bytes;
  now.strong = access.strong;
  GlobalEvent &last = writes ? word.write : word.read;
  bool sameWarp = last.launch == now.launch && last.block == now.block && last.thread / laneCount == warp.number;
  if (sameWarp && last.stamp == now.stamp) {
    now.several = last.several || (last.thread != now.thread && last.bytes != now.bytes);
    now.bytes |= last.bytes;
  } else if (!writes && !sameWarp) {
    word.otherRead = last;
  }
  last = now;
}

void GlobalRaces::check(Warp &warp, const Access &access, unsigned lane) {
  uint64_t address = access.address[lane];
  uint64_t first = address / 4 - firstWord, last = (address + access.bytes - 1) / 4 - firstWord;
  Page &touched = page(first / pageWords);
  Holding holding(touched.busy);
  // An access is aligned to its size, so it lies within a page, or starts with the allocation within a word.
  for (uint64_t word = first; word <= last; ++word) {
    unsigned bytes = access.bytes >= 4 ? 15 : ((1u << access.bytes) - 1) << address % 4;
    Page &holder = word / pageWords == first / pageWords ? touched : page(word / pageWords);
    checkWord(warp, access, lane, holder.words[word % pageWords], uint8_t(bytes));
  }
}
