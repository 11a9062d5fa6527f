// The mnemonics that integers and floating-point numbers share: each family decodes its own types.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_ARITHMETIC_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_ARITHMETIC_H

#include "runtime/devices/emulator/Decoder.h"

namespace moec::runtime::emulator {

void decodeIntegerAdd(Decoder &decoder);
void decodeIntegerSubtract(Decoder &decoder);
void decodeIntegerMultiply(Decoder &decoder);
void decodeIntegerMultiplyAdd(Decoder &decoder);
void decodeIntegerDivide(Decoder &decoder);
void decodeIntegerMinimum(Decoder &decoder);
void decodeIntegerMaximum(Decoder &decoder);
void decodeIntegerAbsolute(Decoder &decoder);
void decodeIntegerNegate(Decoder &decoder);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_ARITHMETIC_H
