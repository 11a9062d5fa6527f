// Copies large amounts of the host's memory to a device through two pinned buffers: one is filled while the other is on its way.
#ifndef MOEC_RUNTIME_DEVICES_CUDA_UPLOAD_H
#define MOEC_RUNTIME_DEVICES_CUDA_UPLOAD_H

#include "runtime/devices/cuda/Owned.h"

#include <span>

namespace moec::runtime::cuda {

class Upload {
public:
  Upload(const Driver &driver, Stream stream) : driver(driver), stream(stream) {}

  /// Before anything is written: allocates two buffers of at most `bytes`.
  Status begin(size_t bytes);
  /// Copies to the device at `to`; the source may go when this returns.
  Status write(Address to, std::span<const std::byte> bytes);
  /// Waits until everything is there.
  Status finish();

private:
  struct Buffer {
    Owned<void *> memory;
    Owned<Event> sent; ///< all that was copied from it
    bool inUse = false;
  };
  Status next();

  const Driver &driver;
  Stream stream;
  Buffer buffers[2];
  size_t capacity = 0, filled = 0, current = 0;
};

} // namespace moec::runtime::cuda

#endif // MOEC_RUNTIME_DEVICES_CUDA_UPLOAD_H
