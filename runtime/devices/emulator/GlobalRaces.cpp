// Words of global memory in pages, each held by one thread of the host at a time.
#include "runtime/devices/emulator/GlobalRaces.h"

#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/Races.h"

#include <thread>

using namespace moec::runtime::emulator;

namespace {
constexpr uint64_t pageWords = 256;

struct GlobalEvent : Event {
  uint32_t launch = 0; ///< 0 for nobody
  uint32_t block = 0;
};

/// Holds one flag at a time, for the few instructions that an access of a warp takes.
class Holding {
public:
  Holding() = default;
  explicit Holding(std::atomic_flag &flag) { take(flag); }
  Holding(const Holding &) = delete;
  ~Holding() { release(); }

  void take(std::atomic_flag &flag) {
    if (held == &flag)
      return;
    release();
    while (flag.test_and_set(std::memory_order_acquire))
      std::this_thread::yield(); // whoever holds it may be waiting for this core
    held = &flag;
  }

private:
  void release() {
    if (held)
      held->clear(std::memory_order_release);
  }

  std::atomic_flag *held = nullptr;
};

/// What decides whether one lane's access races with an event.
struct GlobalAccess {
  Warp &warp;
  const Access &access;
  unsigned lane;

  bool isOwnBlock(const GlobalEvent &event) const { return event.block == warp.block.index; }
  bool isSameWarp(const GlobalEvent &event) const {
    return event.launch == warp.launch.number && isOwnBlock(event) && event.warp() == warp.number;
  }
  bool isOrdered(const GlobalEvent &event) const {
    if (event.launch != warp.launch.number)
      return true;
    if (isOwnBlock(event))
      return isOrderedInBlock(warp, lane, event);
    return event.stamp <= warp.clock.ofGrid(uint64_t(event.block) * warp.launch.warps() + event.warp());
  }
  bool isWithinScope(const GlobalEvent &event) const {
    return isOwnBlock(event) || (event.scope == Scope::device && access.scope == Scope::device);
  }
  bool isHarmless(const GlobalEvent &event) const {
    unsigned other = event.lane();
    return storesTheSame(access, lane, reinterpret_cast<const std::byte *>(access.address[lane]),
                         isSameWarp(event) ? &other : nullptr);
  }
  void report(const GlobalEvent &event, const char *does) const {
    char address[24];
    snprintf(address, sizeof address, "0x%llx", static_cast<unsigned long long>(access.address[lane]));
    warp.report(ReportKind::race, lane,
                std::to_string(access.bytes) + " bytes at " + address + ", which block " + std::to_string(event.block) +
                    " thread " + std::to_string(event.thread) + " " + does + " at line " + std::to_string(event.line));
  }
};
} // namespace

struct GlobalRaces::Page {
  std::atomic_flag busy;
  Word<GlobalEvent> words[pageWords];
};

GlobalRaces::GlobalRaces() = default;
GlobalRaces::~GlobalRaces() = default;

void GlobalRaces::reserve(uint64_t begin, uint64_t bytes) {
  firstWord = begin / 4;
  uint64_t pageCount = ((begin + bytes - 1) / 4 - firstWord) / pageWords + 1;
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

void GlobalRaces::check(Warp &warp, const Access &access, LaneMask lanes) {
  GlobalEvent now;
  describe(now, warp, access);
  now.launch = warp.launch.number;
  now.block = uint32_t(warp.block.index);
  Holding holding; // of a page, while neighbouring lanes touch it
  forEachLane(lanes, [&](unsigned lane) {
    uint64_t address = access.address[lane];
    uint64_t first = address / 4 - firstWord, last = (address + access.bytes - 1) / 4 - firstWord;
    describeLane(now, warp, access, lane);
    Page &touched = page(first / pageWords);
    holding.take(touched.busy);
    // An access is aligned to its size, so it lies within a page, or starts with the allocation within a word.
    for (uint64_t word = first; word <= last; ++word) {
      Page &holder = word / pageWords == first / pageWords ? touched : page(word / pageWords);
      checkWord(holder.words[word % pageWords], now, access.kind != AccessKind::load, GlobalAccess{warp, access, lane});
    }
  });
}
