// The element types of ONNX tensors.
#ifndef MOEC_IMPORTERS_ONNX_DATATYPE_H
#define MOEC_IMPORTERS_ONNX_DATATYPE_H

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Types.h"

#include "llvm/ADT/StringRef.h"

namespace moec::importers::onnx {

/// Numbered as in the schema (TensorProto.DataType).
enum class DataType : int32_t {
  Undefined = 0,
  Float32,
  UInt8,
  Int8,
  UInt16,
  Int16,
  Int32,
  Int64,
  String,
  Bool,
  Float16,
  Float64,
  UInt32,
  UInt64,
  Complex64,
  Complex128,
  BFloat16,
  Float8E4M3FN,
  Float8E4M3FNUZ,
  Float8E5M2,
  Float8E5M2FNUZ,
  UInt4,
  Int4,
  Float4E2M1,
  Float8E8M0,
  UInt2,
  Int2
};

/// Whether the schema has this type, other than as "undefined".
bool isKnown(DataType type);
llvm::StringRef nameOf(DataType type);
/// Bits that an element takes in a file; 0 for strings.
unsigned bitsOf(DataType type);
bool isUnsigned(DataType type);
bool isInteger(DataType type);
bool isFloat(DataType type);
/// The type in IR: integers are signless. Null for strings and complex numbers.
mlir::Type typeOf(DataType type, mlir::MLIRContext *context);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_DATATYPE_H
