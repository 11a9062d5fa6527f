// Weights as kernels find them: parts that share out the leading rows, and for quantised ones the scales of a row.
#ifndef MOEC_LOWERING_KERNEL_WEIGHT_H
#define MOEC_LOWERING_KERNEL_WEIGHT_H

#include "dialects/moe/MoE.h"
#include "lowering/kernel/FunctionBuilder.h"

#include <memory>

namespace moec::lowering {

/// How the rows of a matrix are stored: what code that reads them depends on.
struct Storage {
  mlir::Type element;
  /// Of quantised rows: the type of the scales along a row and how many columns share one; null where a row has one scale only.
  mlir::Type scale = {};
  int64_t scaleColumns = 0;
  int64_t zeroPoint = 0;
  /// Whether blocks have zeros, bytes, to which the zero point is added; their scales are then along the row even if there is one.
  bool hasZeros = false;
  /// Whether elements are to be multiplied with a row's scales and factor at all.
  bool isQuantized = false;

  /// Its name among functions that kernels share.
  std::string name() const;
};

/// How the rows of `weight`, an operand of a kernel's op, are stored.
Storage storageOf(mlir::Value weight);

/// One row of a matrix.
struct WeightRow {
  Pointer elements;
  /// Of a quantised row: its scales, where it has several, and what all of it is multiplied with besides.
  Pointer scales = {};
  Number factor = {};
  Pointer zeros = {}; ///< beside scales, where there are any
};

class Weight {
public:
  Weight() = default;
  /// The addresses of its parts, and how its leading rows are dealt out over them.
  Weight(FunctionBuilder &b, mlir::RankedTensorType type, Pointer parts, llvm::ArrayRef<int64_t> partRows);
  /// What `op` makes of the weights that are its operands; `global` and `zeros` may be none.
  Weight(moe::DequantizeOp op, Weight values, Weight scales, Weight global, Weight zeros);

  explicit operator bool() const { return builder; }
  mlir::Type element() const { return type.getElementType(); }
  int64_t width() const { return type.getShape().back(); }
  int64_t leadingRows() const { return type.getShape().front(); }
  /// The address of entry `index` of the first dimension, of plain numbers.
  Pointer row(Number index) const;

  const Storage &storage() const { return rowStorage; }
  /// A row of a matrix; of entry `entry` of a stack of matrices.
  WeightRow matrixRow(Number row) const;
  WeightRow matrixRow(Number entry, Number row) const;

private:
  struct Scales;
  /// Adds to a row what scales it.
  WeightRow scaled(Pointer elements, Number entry, Number row) const;

  FunctionBuilder *builder = nullptr;
  mlir::RankedTensorType type;
  Storage rowStorage;
  Pointer parts;
  llvm::ArrayRef<int64_t> partRows;
  std::shared_ptr<const Scales> scales; ///< of quantised ones
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_WEIGHT_H
