// Release and acquire, between the warps of a block and between blocks.
#include "runtime/devices/emulator/Synchronization.h"

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"

using namespace moec::runtime::emulator;

namespace {
/// Calls `body` once for each address of an access: that of shared memory without its window, and whether it is global.
template <class Body> void forEachAddress(const Access &access, Body body) {
  uint64_t last = ~uint64_t(0);
  forEachLane(access.lanes, [&](unsigned lane) {
    uint64_t address = access.address[lane];
    if (address == last)
      return;
    last = address;
    bool isGlobal = access.space == Space::global || (access.space == Space::generic && spaceOf(address) == Space::global);
    body(address & ((uint64_t(1) << windowShift) - 1), isGlobal);
  });
}

template <class Map, class Value> void replace(Map &map, uint64_t address, const Value &value, bool isNothing) {
  if (isNothing)
    map.erase(address);
  else
    map[address] = value;
}

void acquire(Warp &warp, Scope scope) {
  warp.clock.join(warp.fences.observed[unsigned(Scope::block)]);
  if (scope == Scope::device)
    warp.clock.join(warp.fences.observed[unsigned(Scope::device)]);
}
} // namespace

void moec::runtime::emulator::advance(Warp &warp) { warp.clock.set(warp.number, warp.clock[warp.number] + 1); }

void moec::runtime::emulator::publish(Warp &warp, const Access &access, bool releases) {
  Block &block = warp.block;
  const Clock &inBlock = releases ? warp.clock : warp.fences.released[unsigned(Scope::block)];
  const Clock &inDevice = releases ? warp.clock : warp.fences.released[unsigned(Scope::device)];
  bool keeps = access.kind == AccessKind::atomic;
  GridStamps told = access.scope == Scope::device ? inDevice.inGrid(block.firstWarp()) : nullptr;
  forEachAddress(access, [&](uint64_t address, bool isGlobal) {
    Publications &publications = warp.launch.publications;
    if (keeps && inBlock.newest())
      block.published[address].join(inBlock);
    else if (!keeps)
      replace(block.published, address, inBlock, !inBlock.newest());
    if (!isGlobal)
      return;
    if (keeps && told)
      publications[address] = joined(publications[address], told);
    else if (!keeps)
      replace(publications, address, told, !told);
  });
  if (releases)
    advance(warp);
}

void moec::runtime::emulator::observe(Warp &warp, const Access &access, bool acquires) {
  Block &block = warp.block;
  auto &[inBlock, inDevice] = warp.fences.observed;
  forEachAddress(access, [&](uint64_t address, bool isGlobal) {
    if (auto found = block.published.find(address); found != block.published.end())
      inBlock.join(found->second);
    if (!isGlobal || access.scope == Scope::block)
      return;
    const Publications &publications = warp.launch.publications;
    if (auto found = publications.find(address); found != publications.end())
      inDevice.join(found->second, block.firstWarp(), warp.launch.warps());
  });
  if (acquires)
    acquire(warp, access.scope);
}

void moec::runtime::emulator::fence(Warp &warp, Scope scope) {
  acquire(warp, scope);
  warp.fences.released[unsigned(Scope::block)] = warp.clock;
  if (scope == Scope::device)
    warp.fences.released[unsigned(Scope::device)] = warp.clock;
  advance(warp);
}
