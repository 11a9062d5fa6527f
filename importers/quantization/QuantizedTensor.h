// The tensors of a checkpoint that together are one quantised matrix: its numbers, their scales, and what the two mean.
#ifndef MOEC_IMPORTERS_QUANTIZATION_QUANTIZEDTENSOR_H
#define MOEC_IMPORTERS_QUANTIZATION_QUANTIZEDTENSOR_H

#include "importers/quantization/Quantization.h"
#include "importers/safetensors/Checkpoint.h"

#include "mlir/IR/BuiltinTypes.h"

namespace moec::importers {

/// How a matrix lies in a file whose rows do not follow one another, as `#moe.slice` says it.
struct Strides {
  int64_t row = 0, column = 0;
  llvm::ArrayRef<int64_t> words = {};
  int64_t wordAxis = 0;
};

/// One of its tensors, as the elements and the shape that its bytes are.
struct StoredPart {
  const safetensors::Tensor *stored = nullptr;
  mlir::Type element;
  llvm::SmallVector<int64_t, 3> shape;
  Strides strides = {};
  /// What follows the matrix's name, without ".weight", in that of scales.
  llvm::StringRef suffix = {};
};

/// The name of scales of `matrix`.
std::string scalesName(llvm::StringRef matrix, const StoredPart &scales);

/// A matrix, or one for each expert, of `values.shape`.
struct QuantizedTensor {
  StoredPart values, scales;
  /// One number by which all is scaled once more; without `stored` when there is none.
  StoredPart global;
  bool globalDivides = false;
  /// Zero points, shaped like the scales; without `stored` when all have the same.
  StoredPart zeros;
  /// The group of each column, where those of a group are not all neighbours; else without `stored`, or in order.
  StoredPart groups;
  bool isScattered = false;
  /// Rows and columns that share a scale; scattered columns: as many as if they were neighbours.
  int64_t blockRows = 1, blockColumns = 1;
  /// The integer that stands for zero, or what is added to the stored ones.
  int64_t zeroPoint = 0;
};

/// Whether kernels read its numbers as they are: each vector of them belongs to one scale, or each of its lanes does.
bool hasBlocksOfKernels(const QuantizedTensor &tensor);

/// Whether the checkpoint has `tensor` in a number format rather than as plain numbers; `stored` is what it has by that name, or
/// null.
bool isQuantized(const safetensors::Checkpoint &checkpoint, llvm::StringRef tensor, const safetensors::Tensor *stored);

/// The tensors that are `tensor`, of `shape`; they count as used, and so do those beside them that concern activations only.
/// Refuses scales that do not fit.
llvm::Expected<QuantizedTensor> takeQuantized(safetensors::Checkpoint &checkpoint, const Quantization &quantization,
                                              llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape, mlir::MLIRContext *context);

/// How many of a model's parameters `stored` holds, as its type and name say: none in scales and in what else lies beside matrices.
int64_t parametersIn(const safetensors::Tensor &stored, const Quantization &quantization);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_QUANTIZATION_QUANTIZEDTENSOR_H
