// Files that exist only in a compiled model: weights in another number format than the one that they are stored in.
#ifndef MOEC_DIALECTS_MOE_REQUANTIZATION_H
#define MOEC_DIALECTS_MOE_REQUANTIZATION_H

#include "dialects/moe/MoE.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace moec::moe {

/// What is stored: slices of files, as elements of a type.
struct StoredTensor {
  mlir::RankedTensorType type;
  mlir::ArrayAttr slices;
};

/// A matrix, or a stack of matrices, rounded to integers of which neighbours in a row share a scale.
///
/// The file holds the rows' integers, i8, or ui4 that are 8 more, one row after the other; from the next multiple of 64 bytes on it
/// holds every row's scales, in bf16.
struct Requantization {
  mlir::Type element;
  int64_t columns = 0; ///< that share a scale
  StoredTensor values;
  /// Where the values are stored quantised: what `moe.dequantize` would be given with them.
  std::optional<StoredTensor> scales = {}, global = {}, zeros = {};
  NumberFormatAttr format = {};

  int64_t width() const { return values.type.getShape().back(); }
  int64_t rows() const { return values.type.getNumElements() / width(); }
  int64_t rowBytes() const { return width() * element.getIntOrFloatBitWidth() / 8; }
  int64_t scalesOfRow() const { return (width() + columns - 1) / columns; }
  int64_t scalesOffset() const;
  int64_t bytes() const { return scalesOffset() + rows() * scaleRowBytes(); }
  int64_t scaleRowBytes() const { return scalesOfRow() * 2; }
  int64_t zeroPoint() const { return element.isUnsignedInteger() ? 8 : 0; }

  mlir::DictionaryAttr attribute() const;
};

/// Files that a module computes are in its attribute `moe.requantized`, which says of each name what the file holds; slices speak
/// of them as of any file.
llvm::StringRef requantizedAttrName();

/// What the module says of `file`: nothing if it is not among those computed, an error if it cannot be.
llvm::Expected<std::optional<Requantization>> findRequantization(mlir::ModuleOp module, llvm::StringRef file);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_REQUANTIZATION_H
