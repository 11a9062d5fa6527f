// Sizes and other integers of which the importer knows the value, or how they follow from sizes known at run time.
#ifndef MOEC_IMPORTERS_ONNX_EXTENT_H
#define MOEC_IMPORTERS_ONNX_EXTENT_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/SmallVector.h"

#include <map>
#include <vector>

namespace moec::importers::onnx {

/// A number, or a number times values known at run time ("atoms"). Equal extents are equal at run time.
class Extent {
public:
  Extent(int64_t number = 0) : number(number) {}
  bool isConstant() const { return atoms.empty(); }
  bool is(int64_t value) const { return atoms.empty() && number == value; }
  /// Of a constant.
  int64_t constant() const { return number; }
  /// As types of tensors have it.
  int64_t dim() const { return atoms.empty() ? number : mlir::ShapedType::kDynamic; }
  friend bool operator==(const Extent &a, const Extent &b) { return a.number == b.number && a.atoms == b.atoms; }
  friend bool operator!=(const Extent &a, const Extent &b) { return !(a == b); }
  friend bool operator<(const Extent &a, const Extent &b) { return a.number != b.number ? a.number < b.number : a.atoms < b.atoms; }

private:
  friend class Extents;
  int64_t number;
  llvm::SmallVector<uint32_t, 2> atoms; ///< ascending
};

using Shape = llvm::SmallVector<Extent, 4>;

/// Arithmetic of extents. Atoms are values of type index; what is not known is computed where it is first needed, and the same
/// computation is made once.
class Extents {
public:
  explicit Extents(mlir::ImplicitLocOpBuilder &builder) : builder(builder) {}

  /// A value of type index; `isSize` when it is known not to be negative.
  Extent of(mlir::Value index, bool isSize);
  Extent add(const Extent &a, const Extent &b);
  Extent subtract(const Extent &a, const Extent &b) { return add(a, multiply(b, -1)); }
  Extent multiply(const Extent &a, const Extent &b);
  /// Towards zero; by zero it gives what division by one gives.
  Extent divide(const Extent &a, const Extent &b);
  Extent remainder(const Extent &a, const Extent &b) { return subtract(a, multiply(divide(a, b), b)); }
  Extent minimum(const Extent &a, const Extent &b);
  Extent maximum(const Extent &a, const Extent &b);
  /// a == b ? then : otherwise
  Extent ifEqual(const Extent &a, const Extent &b, const Extent &then, const Extent &otherwise);
  /// a < 0 ? then : otherwise
  Extent ifNegative(const Extent &a, const Extent &then, const Extent &otherwise);
  Extent product(llvm::ArrayRef<Extent> factors);
  /// Whether `whole` is known to be a multiple of `part`.
  bool isMultiple(const Extent &whole, const Extent &part) const;
  bool isNotNegative(const Extent &a) const;

  /// As a value of type index.
  mlir::Value value(const Extent &extent);
  mlir::OpFoldResult size(const Extent &extent);
  llvm::SmallVector<mlir::OpFoldResult> sizes(llvm::ArrayRef<Extent> shape);
  /// The sizes that are not known, in order.
  llvm::SmallVector<mlir::Value> dynamicSizes(llvm::ArrayRef<Extent> shape);

  /// Whether a known number went beyond 63 bits.
  bool hasOverflowed() const { return overflowed; }

  /// Values made within a region end with it.
  class Region {
  public:
    explicit Region(Extents &extents) : extents(extents), begin(extents.history.size()) {}
    ~Region() { extents.forgetFrom(begin); }

  private:
    Extents &extents;
    size_t begin;
  };

private:
  enum class Kind { Given, Add, Divide, Minimum, Maximum, Select };
  struct Atom {
    mlir::Value value;
    bool isSize;
    Kind kind;
    Extent a, b;
  };
  using Key = std::tuple<Kind, Extent, Extent>;

  Extent atom(mlir::Value value, bool isSize, Kind kind, const Extent &a, const Extent &b);
  Extent computed(Kind kind, const Extent &a, const Extent &b, bool isSize);
  void forgetFrom(size_t begin);
  /// The atom that is all of `extent`, if it is one of `kind`.
  const Atom *soleAtom(const Extent &extent, Kind kind) const;

  mlir::ImplicitLocOpBuilder &builder;
  std::vector<Atom> atoms;
  std::map<Key, uint32_t> known;
  std::vector<Key> history;
  bool overflowed = false;
};

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_EXTENT_H
