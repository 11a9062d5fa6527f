// Where the paths of a divergent branch meet again: the immediate post-dominator of its block.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_CONTROLFLOW_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_CONTROLFLOW_H

#include "runtime/devices/emulator/Module.h"

namespace moec::runtime::emulator {

/// Sets `reconvergence` of every branch of a function; it stays `noTarget` where the paths meet only at the end.
void findReconvergence(Module &module, const Function &function);

/// What ends a block: set by the decoders of control instructions (Control.cpp).
bool isBranch(const Instruction &instruction);
bool isExit(const Instruction &instruction);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_CONTROLFLOW_H
