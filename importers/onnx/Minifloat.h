// Floats of 8 bits and fewer, by arithmetic on their bits: processors have no instructions for most of them.
#ifndef MOEC_IMPORTERS_ONNX_MINIFLOAT_H
#define MOEC_IMPORTERS_ONNX_MINIFLOAT_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec::importers::onnx {

/// An element of a float type of at most 8 bits as f32, exactly.
mlir::Value widenMinifloat(mlir::ImplicitLocOpBuilder &b, mlir::Value x);

/// An f32 as an element of such a type, to nearest even. What is too large becomes the largest number when `saturate`, else
/// infinite or NaN; powers of two without a fraction are rounded up.
mlir::Value narrowToMinifloat(mlir::ImplicitLocOpBuilder &b, mlir::Value x, mlir::FloatType type, bool saturate);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_MINIFLOAT_H
