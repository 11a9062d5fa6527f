// Zeroed memory straight from the operating system: pages that nobody touches cost nothing.
#include "runtime/devices/cpu/HostMemory.h"

#include <sys/mman.h>

using namespace moec::runtime;

HostMemory::HostMemory(HostMemory &&other) noexcept
    : address(std::exchange(other.address, nullptr)), length(std::exchange(other.length, 0)) {}

HostMemory &HostMemory::operator=(HostMemory &&other) noexcept {
  std::swap(address, other.address);
  std::swap(length, other.length);
  return *this;
}

HostMemory::~HostMemory() {
  if (address)
    munmap(address, length);
}

Result<HostMemory> HostMemory::allocate(uint64_t bytes, const char *purpose) {
  HostMemory memory;
  if (bytes == 0)
    return memory;
  void *address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED)
    return Status::resourceExhausted("cannot reserve " + std::to_string(bytes >> 20) + " MiB for " + purpose +
                                     "; compile with a smaller --max-sequence or --max-batch");
  memory.address = static_cast<std::byte *>(address);
  memory.length = bytes;
  return memory;
}
