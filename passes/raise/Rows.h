// Tensors of any rank as the rows that moe ops take, and back.
#ifndef MOEC_PASSES_RAISE_ROWS_H
#define MOEC_PASSES_RAISE_ROWS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace moec::passes {

/// How wide the rows of `value` are; 0 when it is no tensor of float rows of a known width.
int64_t rowWidth(mlir::Value value);

/// `value` as tensor<?xWxf32>.
mlir::Value toRows(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value);
/// `rows` as a tensor of the type and the sizes of `like`, which need not live on. Sizes come from one of `sources` where they are
/// the same; null when they are not to be had.
mlir::Value fromRows(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows, mlir::Value like, mlir::ValueRange sources);

/// A tensor of known sizes with dimensions of size 1 added or dropped.
mlir::Value reshapeStatic(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, llvm::ArrayRef<int64_t> shape);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_ROWS_H
