// The shared memory of a block: bytes, what of them has been written, and who touched them last.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H

#include "runtime/devices/emulator/Races.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace moec::runtime::emulator {

class SharedMemory {
public:
  /// For a block whose warps' stamps are all above `since`; older events are those of other blocks.
  void start(uint32_t bytes, Stamp since) {
    std::fill_n(contents.begin(), touched, std::byte(0));
    std::fill_n(written.begin(), touched, 0);
    contents.resize(bytes);
    written.resize(bytes);
    words.resize((bytes + 3) / 4);
    touched = 0;
    firstStamp = since;
  }

  /// Reports what an access of lanes that are within bounds races with, and remembers it.
  void check(Warp &warp, const Access &access, const Resolved &resolved);
  /// A copy of `thread` has landed.
  void noteLanding(uint32_t address, unsigned bytes, uint32_t thread, Stamp stamp, uint32_t line);

  std::vector<std::byte> contents;
  std::vector<uint8_t> written; ///< a byte each, 0xff when written

private:
  std::vector<Word<Event>> words;
  Stamp firstStamp = 0;
  uint32_t touched = 0; ///< bytes, from the first on, beyond which nobody has accessed any since the block started
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H
