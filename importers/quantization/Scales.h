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

/// Such groups as messages speak of them.
std::string blocksOf(std::optional<int64_t> group);

/// The group of each column of `result`, a matrix, that `stored` lists, whatever they are; says so in `result`.
llvm::Expected<std::vector<int32_t>> readColumnGroups(const safetensors::Checkpoint &checkpoint, const safetensors::Tensor &stored,
                                                      mlir::MLIRContext *context, QuantizedTensor &result);

/// Says that `group`, listed for `column`, is none.
llvm::Error refuseGroup(const safetensors::Tensor &stored, const QuantizedTensor &matrix, int64_t column, int32_t group);

llvm::Error refuseTensor(const safetensors::Tensor &stored, const llvm::Twine &why);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_QUANTIZATION_SCALES_H
