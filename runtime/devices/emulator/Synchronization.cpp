// Fences and publications, between the warps of a block and between blocks.
#include "runtime/devices/emulator/Synchronization.h"

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"

using namespace moec::runtime::emulator;

static void join(Publications::Epochs &to, const Publications::Epochs &from) {
  if (to.size() < from.size())
    to.resize(from.size());
  for (size_t block = 0; block < from.size(); ++block)
    to[block] = std::max(to[block], from[block]);
}

void Publications::publish(uint64_t address, const Epochs &epochs) {
  std::lock_guard lock(mutex);
  join(known[address], epochs);
}

void Publications::learn(uint64_t address, Epochs &epochs) {
  std::lock_guard lock(mutex);
  if (auto found = known.find(address); found != known.end())
    join(epochs, found->second);
}

void moec::runtime::emulator::advance(Warp &warp) { warp.clock.set(warp.number, warp.clock[warp.number] + 1); }

/// Calls `body` once for each address of an access.
template <class Body> static void forEachAddress(const Access &access, Body body) {
  uint64_t last = ~uint64_t(0);
  forEachLane(access.lanes, [&](unsigned lane) {
    if (access.address[lane] != last)
      body(last = access.address[lane]);
  });
}

static bool isGlobal(const Access &access, uint64_t address) {
  return access.space == Space::global || (access.space == Space::generic && spaceOf(address) == Space::global);
}

void moec::runtime::emulator::publish(Warp &warp, const Access &access) {
  Block &block = warp.block;
  if (!warp.hasFenced && block.acquired.empty())
    return;
  forEachAddress(access, [&](uint64_t address) {
    if (warp.hasFenced)
      block.published[address].join(warp.fenced);
    if (!isGlobal(access, address))
      return;
    Publications::Epochs &epochs = block.acquired;
    if (epochs.size() <= block.index)
      epochs.resize(block.index + 1);
    epochs[block.index] = block.fences;
    warp.launch.publications.publish(address, epochs);
  });
}

void moec::runtime::emulator::learn(Warp &warp, const Access &access) {
  Block &block = warp.block;
  forEachAddress(access, [&](uint64_t address) {
    if (auto found = block.published.find(address); found != block.published.end())
      warp.clock.join(found->second);
    if (isGlobal(access, address))
      warp.launch.publications.learn(address, block.acquired);
  });
}

void moec::runtime::emulator::fence(Warp &warp) {
  warp.fenced = warp.clock;
  warp.hasFenced = true;
  advance(warp);
  ++warp.block.fences;
}
