// Compares member masks with who is there.
#include "runtime/devices/emulator/Members.h"

#include "runtime/devices/emulator/Access.h"

using namespace moec::runtime::emulator;

static std::string hexadecimal(LaneMask mask) {
  char text[16];
  snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

void moec::runtime::emulator::checkMembers(Warp &warp, const LaneMask *members) {
  LaneMask wrong = 0;
  forEachLane(warp.active, [&](unsigned lane) { wrong |= LaneMask((members[lane] & warp.existing) != warp.active) << lane; });
  if (wrong) {
    unsigned lane = unsigned(std::countr_zero(wrong));
    warp.report(ReportKind::divergent, lane,
                "expects threads " + hexadecimal(members[lane]) + " of its warp, here are " + hexadecimal(warp.active));
  }
}

void moec::runtime::emulator::checkWholeWarp(Warp &warp) {
  LaneMask whole[laneCount];
  std::fill_n(whole, laneCount, allLanes);
  checkMembers(warp, whole);
}
