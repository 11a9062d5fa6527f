// The stand-in driver's memory: the host's, but copies wait on their stream as a GPU's do.
#include "test/runtime/cuda/State.h"

#include <cstdlib>
#include <cstring>

using namespace moec::test::standin;
using namespace moec::runtime;

namespace {
constexpr size_t alignment = 256;

int copy(uint64_t to, uint64_t from, size_t bytes, void *streamHandle, bool toDevice) {
  State &s = state();
  Stream *stream = s.find<Stream>(streamHandle);
  if (!stream)
    return invalidHandle;
  uint64_t device = toDevice ? to : from, host = toDevice ? from : to;
  if (!State::holds(s.device, device, bytes))
    return s.complain(invalidValue, "no allocation of device memory holds all of the bytes");
  if (!State::holds(s.pinned, host, bytes))
    return s.complain(invalidValue, "the host's memory is not pinned, so that the copy would not be asynchronous");
  return s.enqueue(*stream, [=]() -> int {
    if (!State::holds(state().device, device, bytes) || !State::holds(state().pinned, host, bytes))
      return state().complain(illegalAddress, "memory of a copy was freed before the copy");
    std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes);
    if (toDevice)
      state().emulator->memory().markWritten(reinterpret_cast<const void *>(to), bytes);
    return success;
  });
}
} // namespace

extern "C" {
int cuMemGetInfo_v2(size_t *free, size_t *total) {
  return state().call(__func__, Needs::context, Injected::replaces, [&] {
    *free = state().machine.freeBytes - state().usedBytes;
    *total = state().machine.freeBytes;
    return success;
  });
}

int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    State &s = state();
    if (int code = s.refuseWhileCapturing())
      return code;
    if (bytes == 0)
      return s.complain(invalidValue, "nothing to allocate");
    if (bytes > s.machine.freeBytes - s.usedBytes)
      return outOfMemory;
    void *memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    std::memset(memory, 0xee, bytes); // what a GPU's memory holds is anybody's guess
    *address = reinterpret_cast<uint64_t>(memory);
    s.device[*address] = {bytes, s.context()};
    s.usedBytes += bytes;
    Status added = s.emulator->memory().add(memory, bytes, emulator::Contents::fresh);
    return added.ok() ? success : s.complain(invalidValue, added.message());
  });
}

int cuMemFree_v2(uint64_t address) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&]() -> int {
    State &s = state();
    auto found = s.device.find(address);
    if (found == s.device.end())
      return s.complain(invalidValue, "no such allocation: never made, or freed already");
    s.executeAll(s.context());
    s.freeDevice(found);
    return success;
  });
}

int cuMemAllocHost_v2(void **memory, size_t bytes) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    if (int code = state().refuseWhileCapturing())
      return code;
    *memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    std::memset(*memory, 0xdd, bytes);
    state().pinned[reinterpret_cast<uint64_t>(*memory)] = {bytes, state().context()};
    return success;
  });
}

int cuMemFreeHost(void *memory) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&]() -> int {
    State &s = state();
    auto found = s.pinned.find(reinterpret_cast<uint64_t>(memory));
    if (found == s.pinned.end())
      return s.complain(invalidValue, "no such allocation: never made, or freed already");
    s.executeAll(s.context());
    s.freePinned(found);
    return success;
  });
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
  return state().call(__func__, Needs::context, Injected::replaces,
                      [&] { return copy(to, reinterpret_cast<uint64_t>(from), bytes, stream, true); });
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
  return state().call(__func__, Needs::context, Injected::replaces,
                      [&] { return copy(reinterpret_cast<uint64_t>(to), from, bytes, stream, false); });
}

int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *streamHandle) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    State &s = state();
    Stream *stream = s.find<Stream>(streamHandle);
    if (!stream)
      return invalidHandle;
    if (!State::holds(s.device, to, bytes))
      return s.complain(invalidValue, "no allocation of device memory holds all of the bytes");
    return s.enqueue(*stream, [=]() -> int {
      if (!State::holds(state().device, to, bytes))
        return state().complain(illegalAddress, "memory was freed before it was filled");
      std::memset(reinterpret_cast<void *>(to), value, bytes);
      state().emulator->memory().markWritten(reinterpret_cast<const void *>(to), bytes);
      return success;
    });
  });
}
}
