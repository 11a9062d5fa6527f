// Finds data races in global memory, within a block and between blocks: the words of one allocation.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H

#include "runtime/devices/emulator/Module.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace moec::runtime::emulator {

class Warp;
struct Access;

/// Who touched which word of an allocation last, in one launch; pages of words come into being when they are first touched.
class GlobalRaces {
public:
  GlobalRaces();
  ~GlobalRaces();

  void reserve(uint64_t begin, uint64_t bytes);
  /// Reports what the access races with in some of its lanes, and remembers it. May be called by several threads.
  void check(Warp &warp, const Access &access, LaneMask lanes);

private:
  struct Page;
  Page &page(uint64_t index);

  uint64_t firstWord = 0;
  std::unique_ptr<std::atomic<Page *>[]> pages;
  std::vector<std::unique_ptr<Page>> owned;
  std::unique_ptr<std::atomic_flag> growing;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H
