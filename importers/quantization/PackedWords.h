// GPTQ's and AWQ's matrices: integers in words of 32 bits, stored column after column.
#ifndef MOEC_IMPORTERS_QUANTIZATION_PACKEDWORDS_H
#define MOEC_IMPORTERS_QUANTIZATION_PACKEDWORDS_H

#include "importers/quantization/QuantizedTensor.h"

namespace moec::importers {

/// Whether the checkpoint has `tensor` like this.
bool isInWords(const safetensors::Checkpoint &checkpoint, llvm::StringRef tensor);

/// Whether a tensor of that name goes with a matrix like this.
bool isBesideWords(llvm::StringRef name);

/// `takeQuantized` of such a tensor.
llvm::Expected<QuantizedTensor> takeWords(safetensors::Checkpoint &checkpoint, const Quantization &quantization,
                                          llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape, mlir::MLIRContext *context);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_QUANTIZATION_PACKEDWORDS_H
