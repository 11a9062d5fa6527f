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

/// A matrix, or a stack of matrices, rounded to integers of which neighbours in a row share a scale; or spelt out in f32, as
/// nothing that a kernel reads holds it otherwise: exact, and without scales.
///
/// The file holds the rows' numbers, or the rows' integers, i8, or ui4 that are 8 more, one row after the other; from the next
/// multiple of 64 bytes on it holds every row's scales, in bf16.
struct Requantization {
  mlir::Type element;
  int64_t columns = 0; ///< that share a scale; 0 of numbers spelt out
  StoredTensor values;
  /// Where the values are stored quantised: what `moe.dequantize` would be given with them.
  std::optional<StoredTensor> scales = {}, global = {}, zeros = {};
  NumberFormatAttr format = {};
  /// Of stored values, the group of each column, i32, where those of a group are not neighbours: which of a row's scales is its
  /// own. For all entries of a stack, or for each; -1 for one whose groups are neighbours.
  std::optional<StoredTensor> groups = {};

  bool isPlain() const { return columns == 0; }

  int64_t width() const { return values.type.getShape().back(); }
  int64_t rows() const { return values.type.getNumElements() / width(); }
  int64_t rowBytes() const { return width() * element.getIntOrFloatBitWidth() / 8; }
  int64_t scalesOfRow() const { return isPlain() ? 0 : (width() + columns - 1) / columns; }
  int64_t scalesOffset() const;
  int64_t bytes() const { return scalesOffset() + rows() * scaleRowBytes(); }
  int64_t scaleRowBytes() const { return scalesOfRow() * 2; }
  int64_t zeroPoint() const { return element.isUnsignedInteger() ? 8 : 0; }

  mlir::DictionaryAttr attribute() const;
};

/// Which of a row's scales are those of column `column`, `groups` being the contents of the tensor of that name for the row's
/// entry, or empty.
inline int64_t scaleColumnOf(NumberFormatAttr format, llvm::ArrayRef<double> groups, int64_t column) {
  return groups.empty() ? column / format.getColumns() : int64_t(groups[size_t(column)]);
}

/// Of `groups` as a file has them, for rows of `width` columns, those of entry `entry`; none where they are neighbours.
llvm::ArrayRef<double> groupsOfEntry(llvm::ArrayRef<double> groups, int64_t entry, int64_t width);
/// An error where one of them is neither -1 nor one of a row's `count` scales.
llvm::Error checkGroups(llvm::ArrayRef<double> groups, int64_t count);

/// Files that a module computes are in its attribute `moe.requantized`, which says of each name what the file holds; slices speak
/// of them as of any file.
llvm::StringRef requantizedAttrName();

/// What the module says of `file`: nothing if it is not among those computed, an error if it cannot be.
llvm::Expected<std::optional<Requantization>> findRequantization(mlir::ModuleOp module, llvm::StringRef file);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_REQUANTIZATION_H
