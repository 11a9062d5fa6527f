// What the ways to store quantised matrices have in common: scales of groups, refusals.
#ifndef MOEC_IMPORTERS_QUANTIZATION_SCALES_H
#define MOEC_IMPORTERS_QUANTIZATION_SCALES_H

#include "importers/quantization/QuantizedTensor.h"

namespace moec::importers {

/// Types of scales that are no format of their own.
inline constexpr llvm::StringRef plainFloats[] = {"F32", "BF16", "F16"};

mlir::Type typeOfScales(llvm::StringRef type, mlir::MLIRContext *context);

/// Whether `scales` is the shape of scales for groups of neighbours in a row: of `group`, where that is given. Says so in `result`.
bool fitGroups(llvm::ArrayRef<int64_t> scales, std::optional<int64_t> group, QuantizedTensor &result);

llvm::Error refuseTensor(const safetensors::Tensor &stored, const llvm::Twine &why);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_QUANTIZATION_SCALES_H
