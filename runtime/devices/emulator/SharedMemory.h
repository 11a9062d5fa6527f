// The shared memory of a block: bytes, what of them has been written, and who touched them last.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moec::runtime::emulator {

class SharedMemory {
public:
  void start(uint32_t bytes, unsigned warps) {
    contents.assign(bytes, std::byte(0));
    written.assign(bytes, 0);
  }

  std::vector<std::byte> contents;
  std::vector<uint8_t> written; ///< a byte each, 0xff when written
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SHAREDMEMORY_H
