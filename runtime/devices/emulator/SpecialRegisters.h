// Registers that the hardware writes: where a thread is, how large its block, its grid and its shared memory are.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SPECIALREGISTERS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SPECIALREGISTERS_H

#include "runtime/devices/emulator/Module.h"

#include <optional>

namespace moec::runtime::emulator {

enum class SpecialRegister : uint8_t {
  tidX,
  tidY,
  tidZ,
  ntidX,
  ntidY,
  ntidZ,
  ctaidX,
  ctaidY,
  ctaidZ,
  nctaidX,
  nctaidY,
  nctaidZ,
  laneid,
  warpid,
  nwarpid,
  smid,
  nsmid,
  gridid,
  lanemaskEq,
  lanemaskLt,
  lanemaskLe,
  lanemaskGt,
  lanemaskGe,
  dynamicSharedBytes,
  totalSharedBytes,
  zero, ///< of a cluster of one block
  one,  ///< likewise
  warpSize,
  clock,   ///< the instructions that the warp has executed
  clock64, ///< likewise
};

/// The register of a name such as "%tid.x".
std::optional<SpecialRegister> specialRegisterNamed(std::string_view name);

unsigned bytesOf(SpecialRegister special);

/// Writes one value a lane for the registers that do not change while a block runs.
void writeSpecialRegister(const Warp &warp, SpecialRegister special, uint32_t *values);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SPECIALREGISTERS_H
