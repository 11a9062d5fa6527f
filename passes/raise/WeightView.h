// A weight as places in files, which can be cut, turned and stacked without moving a byte.
#ifndef MOEC_PASSES_RAISE_WEIGHTVIEW_H
#define MOEC_PASSES_RAISE_WEIGHTVIEW_H

#include "dialects/moe/MoE.h"

#include <optional>
#include <string>
#include <vector>

namespace moec::passes {

/// Where the elements of a weight lie.
class WeightView {
public:
  /// Nothing for elements that do not fill bytes, or that are packed into words.
  static std::optional<WeightView> of(moe::WeightOp weight);

  /// Of those before, behind each other in the first dimension.
  static std::optional<WeightView> concatenated(llvm::ArrayRef<WeightView> views);
  /// The last two dimensions in the other order.
  std::optional<WeightView> transposed() const;
  /// `count` of `axis`, every `stride`-th from `offset` on.
  std::optional<WeightView> sliced(size_t axis, int64_t offset, int64_t count, int64_t stride) const;
  /// With dimensions of size 1 added or dropped, and others split.
  std::optional<WeightView> reshaped(llvm::ArrayRef<int64_t> shape) const;

  /// A byte of a file.
  struct Place {
    llvm::StringRef file;
    int64_t offset;
    bool operator==(const Place &) const = default;
  };
  /// Where an element lies; nothing behind the end.
  std::optional<Place> placeOf(llvm::ArrayRef<int64_t> index) const;

  mlir::RankedTensorType type() const { return mlir::RankedTensorType::get(shape, element); }
  mlir::Type storedType() const { return stored; }
  /// As attributes of a moe.weight; nothing when they cannot say it.
  std::optional<llvm::SmallVector<mlir::Attribute>> slices() const;
  /// The name of the tensor that begins the weight.
  llvm::StringRef name() const { return runs.front().tensor; }

private:
  /// Entries of the first dimension that lie evenly in one file.
  struct Run {
    std::string tensor, file;
    int64_t offset; ///< of the first, in bytes
    int64_t count;
    int64_t every;                      ///< from one to the next, in bytes
    llvm::SmallVector<int64_t> strides; ///< of the other dimensions, in elements
  };
  int64_t elementBytes() const { return stored.getIntOrFloatBitWidth() / 8; }
  /// Joins runs that continue each other.
  void join();

  mlir::Type element, stored; ///< what elements are looked at as, and what they are in files
  llvm::SmallVector<int64_t> shape;
  std::vector<Run> runs;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_WEIGHTVIEW_H
