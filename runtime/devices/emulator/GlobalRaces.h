// Who touched which word of an allocation last, in one launch.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H

#include "runtime/devices/emulator/Clock.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace moec::runtime::emulator {

class Warp;
struct Access;

struct GlobalEvent {
  uint32_t launch = 0; ///< 0 for nobody
  uint32_t block = 0;
  Stamp stamp = 0;    ///< of the warp
  uint32_t epoch = 0; ///< of the block: how many fences came before
  uint32_t line = 0;
  uint16_t thread = 0;
  uint8_t bytes = 0; ///< of the word, a bit each
  bool strong : 1 = false;
  bool several : 1 = false; ///< further threads of the warp touched other bytes at the same stamp
};

/// A word's last write, last read, and last read by another block or warp than that.
struct GlobalWord {
  GlobalEvent write, read, otherRead;
};

/// The words of one allocation; pages of them come into being when they are first touched.
class GlobalRaces {
public:
  void reserve(uint64_t begin, uint64_t bytes);
  /// Reports what one lane's access races with, and remembers it. May be called by several threads.
  void check(Warp &warp, const Access &access, unsigned lane);

private:
  static constexpr uint64_t pageWords = 256;
  struct Page {
    std::atomic_flag busy;
    GlobalWord words[pageWords];
  };
  Page &page(uint64_t index);
  static void checkWord(Warp &warp, const Access &access, unsigned lane, GlobalWord &word, uint8_t bytes);

  uint64_t firstWord = 0, pageCount = 0;
  std::unique_ptr<std::atomic<Page *>[]> pages;
  std::vector<std::unique_ptr<Page>> owned;
  std::unique_ptr<std::atomic_flag> growing;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H
