// Zeroed memory straight from the operating system: pages that nobody touches cost nothing.
#ifndef MOEC_RUNTIME_DEVICES_CPU_HOSTMEMORY_H
#define MOEC_RUNTIME_DEVICES_CPU_HOSTMEMORY_H

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>

namespace moec::runtime {

class HostMemory {
public:
  HostMemory() = default;
  HostMemory(HostMemory &&other) noexcept;
  HostMemory &operator=(HostMemory &&other) noexcept;
  ~HostMemory();

  /// `bytes` of memory at a page boundary; `purpose` is for the message when there is not enough.
  static Result<HostMemory> allocate(uint64_t bytes, const char *purpose);

  std::byte *data() const { return address; }

private:
  std::byte *address = nullptr;
  size_t length = 0;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_DEVICES_CPU_HOSTMEMORY_H
