// Copies large amounts of the host's memory to a device through two pinned buffers.
#include "runtime/devices/cuda/Upload.h"

#include <algorithm>
#include <cstring>

using namespace moec::runtime;
using namespace moec::runtime::cuda;

Status Upload::begin(size_t bytes) {
  capacity = std::clamp<size_t>(bytes, 4096, 32 << 20);
  for (Buffer &buffer : buffers) {
    MOEC_RETURN_IF_ERROR(acquire(buffer.memory, driver.pinnedAllocate, driver.pinnedFree, capacity));
    MOEC_RETURN_IF_ERROR(acquire(buffer.sent, driver.eventCreate, driver.eventDestroy, disableTiming));
  }
  return {};
}

/// Goes on with the other buffer, once what was copied from it has arrived.
Status Upload::next() {
  MOEC_RETURN_IF_ERROR(driver.eventRecord(buffers[current].sent.get(), stream, passedByStream));
  buffers[current].inUse = true;
  current = 1 - current;
  filled = 0;
  return buffers[current].inUse ? driver.eventSynchronize(buffers[current].sent.get()) : Status();
}

Status Upload::write(Address to, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (filled == capacity)
      MOEC_RETURN_IF_ERROR(next());
    size_t count = std::min(bytes.size(), capacity - filled);
    std::byte *staged = static_cast<std::byte *>(buffers[current].memory.get()) + filled;
    std::memcpy(staged, bytes.data(), count);
    MOEC_RETURN_IF_ERROR(driver.copyToDevice(to, staged, count, stream));
    to += count;
    filled += count;
    bytes = bytes.subspan(count);
  }
  return {};
}

Status Upload::finish() { return driver.streamSynchronize(stream); }
