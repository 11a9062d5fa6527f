// The registry of allocations.
#include "runtime/devices/emulator/Memory.h"

#include <algorithm>
#include <bit>
#include <cstring>

using namespace moec::runtime;
using namespace moec::runtime::emulator;

Status Memory::add(const void *address, uint64_t bytes, Contents contents) {
  uint64_t begin = reinterpret_cast<uintptr_t>(address), end;
  if (!begin || !bytes || __builtin_add_overflow(begin, bytes, &end) || end >> windowShift)
    return Status::invalidArgument("an allocation of " + std::to_string(bytes) + " bytes at " + std::to_string(begin) +
                                   " is not one");
  auto next = allocations.upper_bound(begin);
  if ((next != allocations.end() && next->first < end) || (next != allocations.begin() && std::prev(next)->second->end() > begin))
    return Status::invalidArgument("allocations overlap at " + std::to_string(begin));
  auto allocation = std::make_unique<Allocation>();
  allocation->begin = begin;
  allocation->bytes = bytes;
  allocation->contents = contents;
  if (contents == Contents::fresh)
    allocation->written.resize(bytes);
  allocation->loaded = std::make_unique<std::atomic<uint64_t>[]>(allocation->loadedWords());
  if (contents != Contents::readOnly)
    allocation->races.reserve(begin, bytes);
  allocations.emplace(begin, std::move(allocation));
  return {};
}

Status Memory::remove(const void *address) {
  if (!allocations.erase(reinterpret_cast<uintptr_t>(address)))
    return Status::invalidArgument("no allocation starts at " + std::to_string(reinterpret_cast<uintptr_t>(address)));
  return {};
}

void Memory::markWritten(const void *address, uint64_t bytes) {
  Allocation *allocation = find(reinterpret_cast<uintptr_t>(address));
  if (!allocation || allocation->written.empty())
    return;
  uint64_t first = reinterpret_cast<uintptr_t>(address) - allocation->begin;
  std::memset(allocation->written.data() + first, 0xff, std::min(bytes, allocation->bytes - first));
}

void Memory::markUnwritten(const void *address) {
  if (Allocation *allocation = find(reinterpret_cast<uintptr_t>(address)))
    std::ranges::fill(allocation->written, 0);
}

Allocation *Memory::find(uint64_t address) const {
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin())
    return nullptr;
  Allocation *allocation = std::prev(next)->second.get();
  return address < allocation->end() ? allocation : nullptr;
}

void Memory::startLaunch() {
  for (auto &[begin, allocation] : allocations)
    for (uint64_t word = 0; word < allocation->loadedWords(); ++word)
      allocation->loaded[word].store(0, std::memory_order_relaxed);
}

uint64_t Memory::uniqueSectors() const {
  uint64_t sectors = 0;
  for (const auto &[begin, allocation] : allocations)
    for (uint64_t word = 0; word < allocation->loadedWords(); ++word)
      sectors += uint64_t(std::popcount(allocation->loaded[word].load(std::memory_order_relaxed)));
  return sectors;
}
