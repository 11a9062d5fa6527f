// The values of special registers.
#include "runtime/devices/emulator/SpecialRegisters.h"

#include "runtime/devices/emulator/Block.h"

using namespace moec::runtime::emulator;

namespace {
struct Named {
  std::string_view name;
  SpecialRegister special;
};
using enum SpecialRegister;
constexpr Named registers[] = {
    {"%tid.x", tidX},
    {"%tid.y", tidY},
    {"%tid.z", tidZ},
    {"%ntid.x", ntidX},
    {"%ntid.y", ntidY},
    {"%ntid.z", ntidZ},
    {"%ctaid.x", ctaidX},
    {"%ctaid.y", ctaidY},
    {"%ctaid.z", ctaidZ},
    {"%nctaid.x", nctaidX},
    {"%nctaid.y", nctaidY},
    {"%nctaid.z", nctaidZ},
    {"%laneid", laneid},
    {"%warpid", warpid},
    {"%nwarpid", nwarpid},
    {"%smid", smid},
    {"%nsmid", nsmid},
    {"%gridid", gridid},
    {"%lanemask_eq", lanemaskEq},
    {"%lanemask_lt", lanemaskLt},
    {"%lanemask_le", lanemaskLe},
    {"%lanemask_gt", lanemaskGt},
    {"%lanemask_ge", lanemaskGe},
    {"%dynamic_smem_size", dynamicSharedBytes},
    {"%total_smem_size", totalSharedBytes},
    {"%clusterid.x", ctaidX}, // a cluster is one block
    {"%clusterid.y", ctaidY},
    {"%clusterid.z", ctaidZ},
    {"%nclusterid.x", nctaidX},
    {"%nclusterid.y", nctaidY},
    {"%nclusterid.z", nctaidZ},
    {"%cluster_ctaid.x", zero},
    {"%cluster_ctaid.y", zero},
    {"%cluster_ctaid.z", zero},
    {"%cluster_ctarank", zero},
    {"%cluster_nctaid.x", one},
    {"%cluster_nctaid.y", one},
    {"%cluster_nctaid.z", one},
    {"%cluster_nctarank", one},
    {"WARP_SZ", warpSize},
    {"%clock", SpecialRegister::clock},
    {"%clock64", clock64},
    {"%globaltimer", clock64},
};
} // namespace

std::optional<SpecialRegister> moec::runtime::emulator::specialRegisterNamed(std::string_view name) {
  for (const Named &entry : registers)
    if (entry.name == name)
      return entry.special;
  return std::nullopt;
}

unsigned moec::runtime::emulator::bytesOf(SpecialRegister special) { return special == clock64 ? 8 : 4; }

static uint32_t valueOf(const Warp &warp, SpecialRegister special, unsigned lane) {
  const Launch &launch = warp.launch;
  const Dimensions &size = launch.blockSize;
  Dimensions thread = size.at(warp.number * laneCount + lane);
  LaneMask self = LaneMask(1) << lane;
  switch (special) {
  case tidX:
    return thread.x;
  case tidY:
    return thread.y;
  case tidZ:
    return thread.z;
  case ntidX:
    return size.x;
  case ntidY:
    return size.y;
  case ntidZ:
    return size.z;
  case ctaidX:
    return warp.block.at.x;
  case ctaidY:
    return warp.block.at.y;
  case ctaidZ:
    return warp.block.at.z;
  case nctaidX:
    return launch.grid.x;
  case nctaidY:
    return launch.grid.y;
  case nctaidZ:
    return launch.grid.z;
  case laneid:
    return lane;
  case warpid:
    return warp.number;
  case nwarpid:
    return launch.warps();
  case lanemaskEq:
    return self;
  case lanemaskLt:
    return self - 1;
  case lanemaskLe:
    return self | (self - 1);
  case lanemaskGt:
    return ~(self | (self - 1));
  case lanemaskGe:
    return ~(self - 1);
  case dynamicSharedBytes:
    return launch.dynamicSharedBytes;
  case totalSharedBytes:
    return launch.sharedBytes();
  case warpSize:
    return laneCount;
  case nsmid:
  case one:
    return 1;
  default:
    return 0;
  }
}

void moec::runtime::emulator::writeSpecialRegister(const Warp &warp, SpecialRegister special, uint32_t *values) {
  if (bytesOf(special) == 8) // clocks are read where they are named
    return;
  for (unsigned lane = 0; lane < laneCount; ++lane)
    values[lane] = valueOf(warp, special, lane);
}
