// The shared memory of a block: bytes, what of them has been written, and who touched them last.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H

#include "runtime/devices/emulator/Clock.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moec::runtime::emulator {

class Warp;
struct Access;
struct Resolved;

/// Who touched a word last in one way.
struct SharedEvent {
  Stamp stamp = 0; ///< of the warp; 0 for nobody
  uint32_t line = 0;
  uint16_t thread = 0;
  uint8_t bytes = 0; ///< of the word, a bit each
  bool strong : 1 = false;
  bool several : 1 = false; ///< further threads of the warp touched other bytes at the same stamp
};

/// A word's last write, last read, and last read by another warp than that.
struct SharedWord {
  SharedEvent write, read, otherRead;
};

class SharedMemory {
public:
  /// For a block whose warps' stamps are all above `since`; older events are those of other blocks.
  void start(uint32_t bytes, Stamp since) {
    contents.assign(bytes, std::byte(0));
    written.assign(bytes, 0);
    words.resize((bytes + 3) / 4);
    firstStamp = since;
  }

  /// Reports what an access of lanes that are within bounds races with, and remembers it.
  void check(Warp &warp, const Access &access, const Resolved &resolved);
  /// A copy of `thread` has landed.
  void noteLanding(uint32_t address, unsigned bytes, uint32_t thread, Stamp stamp, uint32_t line);

  std::vector<std::byte> contents;
  std::vector<uint8_t> written; ///< a byte each, 0xff when written

private:
  void checkWord(Warp &warp, const Access &access, unsigned lane, uint32_t word, uint8_t bytes);
  bool isOrdered(const Warp &warp, unsigned lane, const SharedEvent &event) const;
  bool storesTheSame(const Warp &warp, const Access &access, unsigned lane, const SharedEvent &other) const;

  std::vector<SharedWord> words;
  Stamp firstStamp = 0;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H
