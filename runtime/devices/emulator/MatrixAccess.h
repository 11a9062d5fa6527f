// The instructions that bring matrices to the layout of products.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_MATRIXACCESS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_MATRIXACCESS_H

namespace moec::runtime::emulator {

class Decoder;

void decodeLoadMatrix(Decoder &decoder);
void decodeStoreMatrix(Decoder &decoder);
void decodeTranspose(Decoder &decoder);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_MATRIXACCESS_H
