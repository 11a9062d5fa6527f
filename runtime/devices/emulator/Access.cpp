// Resolves the addresses of a memory instruction to memory of the host.
#include "runtime/devices/emulator/Access.h"

#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/Symbols.h"
#include "runtime/devices/emulator/Traffic.h"

#include <array>
#include <type_traits>

using namespace moec::runtime::emulator;

namespace {
std::string sizeAt(const Access &access, unsigned lane) {
  char text[64];
  snprintf(text, sizeof text, "%u bytes at 0x%llx", access.bytes, static_cast<unsigned long long>(access.address[lane]));
  return text;
}

/// Calls `body` with the bytes of a lane, as a constant where they are a power of two, so that it moves them at once.
template <class Body> auto withBytes(unsigned bytes, Body body) {
  switch (bytes) {
  case 1:
    return body(std::integral_constant<unsigned, 1>());
  case 2:
    return body(std::integral_constant<unsigned, 2>());
  case 4:
    return body(std::integral_constant<unsigned, 4>());
  case 8:
    return body(std::integral_constant<unsigned, 8>());
  case 16:
    return body(std::integral_constant<unsigned, 16>());
  case 32:
    return body(std::integral_constant<unsigned, 32>());
  default:
    return body(bytes);
  }
}

bool allWritten(const uint8_t *written, unsigned bytes) {
  static constexpr auto all = [] {
    std::array<uint8_t, stagingBytes> all{};
    all.fill(isWritten);
    return all;
  }();
  return withBytes(bytes, [&](auto size) { return std::memcmp(written, all.data(), size) == 0; });
}

/// Whether [address, address + bytes) ends before `limit`.
bool fits(uint64_t address, unsigned bytes, uint64_t limit) { return address <= limit && bytes <= limit - address; }

/// Enters a lane that is within bounds; reads of what has not been written are reported and still made.
void admit(Warp &warp, const Access &access, unsigned lane, std::byte *data, uint8_t *written, const char *space,
           Resolved &resolved) {
  resolved.lanes |= LaneMask(1) << lane;
  resolved.data[lane] = data;
  resolved.written[lane] = written;
  if (!written || allWritten(written, access.bytes))
    return;
  if (std::memchr(written, inFlight, access.bytes))
    warp.report(ReportKind::earlyRead, lane, sizeAt(access, lane) + " of shared memory wait for a copy that is on its way");
  else if (access.kind != AccessKind::store)
    warp.report(ReportKind::uninitialised, lane, sizeAt(access, lane) + " of " + space + " memory have not been written");
}

void resolveShared(Warp &warp, const Access &access, Resolved &resolved) {
  SharedMemory &shared = warp.block.shared;
  forEachLane(access.lanes, [&](unsigned lane) {
    uint64_t address = access.address[lane];
    if (fits(address, access.bytes, shared.contents.size()))
      admit(warp, access, lane, shared.contents.data() + address, shared.written.data() + address, "shared", resolved);
    else
      warp.report(ReportKind::outOfBounds, lane,
                  sizeAt(access, lane) + " of shared memory, which has " + std::to_string(shared.contents.size()));
  });
  shared.check(warp, access, resolved);
  countWavefronts(warp, access);
}

/// A lane's memory holds the variables of functions, then those of the entry, whose addresses start at `entryLocalStart`.
void resolveLocal(Warp &warp, const Access &access, Resolved &resolved) {
  forEachLane(access.lanes, [&](unsigned lane) {
    uint64_t address = access.address[lane], limit = warp.launch.module.functionLocalBytes;
    if (address >= entryLocalStart) {
      address = address - entryLocalStart + limit;
      limit = warp.localBytes;
    }
    size_t first = size_t(lane) * warp.localBytes + address;
    if (fits(address, access.bytes, limit))
      admit(warp, access, lane, warp.local.data() + first, warp.localWritten.data() + first, "local", resolved);
    else
      warp.report(ReportKind::outOfBounds, lane, sizeAt(access, lane) + " of local memory");
  });
}

void resolveParameter(Warp &warp, const Access &access, Resolved &resolved) {
  std::span<const std::byte> parameters = warp.launch.parameters;
  forEachLane(access.lanes, [&](unsigned lane) {
    uint64_t address = access.address[lane];
    if (!fits(address, access.bytes, parameters.size()))
      warp.report(ReportKind::outOfBounds, lane,
                  sizeAt(access, lane) + " of the parameters, which have " + std::to_string(parameters.size()));
    else if (access.kind != AccessKind::load)
      warp.report(ReportKind::readOnly, lane, sizeAt(access, lane) + " of the parameters");
    else
      admit(warp, access, lane, const_cast<std::byte *>(parameters.data() + address), nullptr, "parameter", resolved);
  });
}

void resolveGlobal(Warp &warp, const Access &access, Resolved &resolved) {
  Allocation *raced = nullptr;
  LaneMask racing = 0; // lanes in that allocation that are not checked yet
  auto checkRaces = [&] {
    if (racing)
      raced->races.check(warp, access, racing);
    racing = 0;
  };
  forEachLane(access.lanes, [&](unsigned lane) {
    uint64_t address = access.address[lane];
    Allocation *allocation = warp.lastAllocation;
    if (!allocation || address < allocation->begin || address >= allocation->end())
      allocation = warp.launch.memory.find(address);
    if (allocation)
      warp.lastAllocation = allocation;
    if (!allocation) {
      warp.report(ReportKind::outOfBounds, lane, sizeAt(access, lane) + ", which no allocation holds");
    } else if (uint64_t offset = address - allocation->begin; !fits(offset, access.bytes, allocation->bytes)) {
      warp.report(ReportKind::outOfBounds, lane,
                  sizeAt(access, lane) + ", where an allocation of " + std::to_string(allocation->bytes) + " bytes has only " +
                      std::to_string(allocation->bytes - offset) + " left");
    } else if (access.kind != AccessKind::load && allocation->contents == Contents::readOnly) {
      warp.report(ReportKind::readOnly, lane, sizeAt(access, lane));
    } else {
      uint8_t *written = allocation->written.empty() ? nullptr : allocation->written.data() + offset;
      admit(warp, access, lane, reinterpret_cast<std::byte *>(address), written, "global", resolved);
      if (allocation->contents == Contents::readOnly)
        return;
      if (allocation != raced)
        checkRaces();
      raced = allocation;
      racing |= LaneMask(1) << lane;
    }
  });
  checkRaces();
  countGlobal(warp, access, resolved.lanes);
}

LaneMask aligned(Warp &warp, const Access &access) {
  LaneMask fine = access.lanes;
  uint64_t low = 0;
  forEachLane(access.lanes, [&](unsigned lane) { low |= access.address[lane]; });
  if (low & (access.alignment - 1))
    forEachLane(access.lanes, [&](unsigned lane) {
      if (access.address[lane] & (access.alignment - 1)) {
        warp.report(ReportKind::misaligned, lane, sizeAt(access, lane));
        fine &= ~(LaneMask(1) << lane);
      }
    });
  return fine;
}

void resolveIn(Space space, Warp &warp, const Access &access, Resolved &resolved) {
  switch (space) {
  case Space::shared:
    return resolveShared(warp, access, resolved);
  case Space::local:
    return resolveLocal(warp, access, resolved);
  case Space::parameter:
    return resolveParameter(warp, access, resolved);
  default:
    return resolveGlobal(warp, access, resolved);
  }
}
} // namespace

Access moec::runtime::emulator::accessOf(const Warp &warp, const Instruction &i, unsigned k, AccessKind kind) {
  Access access;
  access.kind = kind;
  access.space = i.space;
  access.strong = i.strong;
  access.scope = i.scope;
  access.lanes = warp.active;
  access.bytes = access.alignment = i.bytes * i.elements;
  computeAddresses(warp, i, k, i.addressBytes, i.offset, access);
  return access;
}

void moec::runtime::emulator::computeAddresses(const Warp &warp, const Instruction &i, unsigned k, unsigned registerBytes,
                                               int64_t offset, Access &access) {
  if (registerBytes == 4) {
    const uint32_t *base = warp.source<uint32_t>(i, k);
    for (unsigned lane = 0; lane < laneCount; ++lane)
      access.address[lane] = uint32_t(base[lane] + uint32_t(offset));
  } else {
    const uint64_t *base = warp.source<uint64_t>(i, k);
    for (unsigned lane = 0; lane < laneCount; ++lane)
      access.address[lane] = base[lane] + uint64_t(offset);
  }
}

void moec::runtime::emulator::resolve(Warp &warp, const Access &access, Resolved &resolved) {
  Access part = access;
  part.lanes = aligned(warp, access);
  if (access.space != Space::generic) {
    resolveIn(access.space, warp, part, resolved);
    return;
  }
  // The lanes of each window in turn; nearly always there is one.
  for (LaneMask rest = part.lanes; rest;) {
    uint64_t window = access.address[std::countr_zero(rest)] >> windowShift;
    part.lanes = 0;
    forEachLane(rest, [&](unsigned lane) {
      if (access.address[lane] >> windowShift != window)
        return;
      part.lanes |= LaneMask(1) << lane;
      if (window)
        part.address[lane] = access.address[lane] & ((uint64_t(1) << windowShift) - 1);
    });
    rest &= ~part.lanes;
    resolveIn(spaceOf(window << windowShift), warp, part, resolved);
  }
}

uint64_t moec::runtime::emulator::digestOf(const Access &access, const Staging &values) {
  uint64_t digest = access.lanes;
  auto add = [&](uint64_t word) { digest = (digest ^ word) * 0x100000001b3; };
  forEachLane(access.lanes, [&](unsigned lane) {
    add(access.address[lane]);
    for (unsigned byte = 0; byte < access.bytes; ++byte)
      add(uint64_t(values[lane][byte]));
  });
  return digest;
}

void moec::runtime::emulator::load(Warp &warp, const Access &access, Staging &values) {
  Resolved from;
  resolve(warp, access, from);
  if (from.lanes != allLanes)
    std::memset(values, 0, sizeof values);
  withBytes(access.bytes,
            [&](auto size) { forEachLane(from.lanes, [&](unsigned lane) { std::memcpy(values[lane], from.data[lane], size); }); });
}

void moec::runtime::emulator::store(Warp &warp, Access &access, const Staging &values, LaneMask known) {
  access.stored = &values;
  Resolved to;
  resolve(warp, access, to);
  withBytes(access.bytes, [&](auto size) {
    forEachLane(to.lanes, [&](unsigned lane) {
      bool isKnown = known >> lane & 1;
      if (to.written[lane])
        std::memset(to.written[lane], isKnown ? isWritten : unwritten, size);
      else if (!isKnown)
        warp.report(ReportKind::uninitialised, lane, "stores what has not been written");
      std::memcpy(to.data[lane], values[lane], size);
    });
  });
  if (to.lanes)
    noteProgress(warp);
}
