// Names, widths and IR types of ONNX's element types.
#include "importers/onnx/DataType.h"

#include "mlir/IR/BuiltinTypes.h"

#include <array>

using namespace moec::importers;
using onnx::DataType;

namespace {
enum class Kind { None, Signed, Unsigned, Float, Bool, Text, Complex };
struct Description {
  llvm::StringLiteral name;
  unsigned bits;
  Kind kind;
};
} // namespace

/// In the order of the enum.
static constexpr std::array<Description, 27> descriptions = {{
    {"undefined", 0, Kind::None},       {"float32", 32, Kind::Float},
    {"uint8", 8, Kind::Unsigned},       {"int8", 8, Kind::Signed},
    {"uint16", 16, Kind::Unsigned},     {"int16", 16, Kind::Signed},
    {"int32", 32, Kind::Signed},        {"int64", 64, Kind::Signed},
    {"string", 0, Kind::Text},          {"bool", 8, Kind::Bool},
    {"float16", 16, Kind::Float},       {"float64", 64, Kind::Float},
    {"uint32", 32, Kind::Unsigned},     {"uint64", 64, Kind::Unsigned},
    {"complex64", 64, Kind::Complex},   {"complex128", 128, Kind::Complex},
    {"bfloat16", 16, Kind::Float},      {"float8e4m3fn", 8, Kind::Float},
    {"float8e4m3fnuz", 8, Kind::Float}, {"float8e5m2", 8, Kind::Float},
    {"float8e5m2fnuz", 8, Kind::Float}, {"uint4", 4, Kind::Unsigned},
    {"int4", 4, Kind::Signed},          {"float4e2m1", 4, Kind::Float},
    {"float8e8m0", 8, Kind::Float},     {"uint2", 2, Kind::Unsigned},
    {"int2", 2, Kind::Signed},
}};

static const Description &describe(DataType type) {
  auto index = static_cast<size_t>(type);
  return descriptions[index < descriptions.size() ? index : 0];
}

bool onnx::isKnown(DataType type) { return describe(type).kind != Kind::None; }
llvm::StringRef onnx::nameOf(DataType type) { return describe(type).name; }
unsigned onnx::bitsOf(DataType type) { return describe(type).bits; }
bool onnx::isUnsigned(DataType type) { return describe(type).kind == Kind::Unsigned; }
bool onnx::isInteger(DataType type) { return describe(type).kind == Kind::Signed || isUnsigned(type); }
bool onnx::isFloat(DataType type) { return describe(type).kind == Kind::Float; }

mlir::Type onnx::typeOf(DataType type, mlir::MLIRContext *context) {
  switch (type) {
  case DataType::Float32:
    return mlir::Float32Type::get(context);
  case DataType::Float16:
    return mlir::Float16Type::get(context);
  case DataType::Float64:
    return mlir::Float64Type::get(context);
  case DataType::BFloat16:
    return mlir::BFloat16Type::get(context);
  case DataType::Float8E4M3FN:
    return mlir::Float8E4M3FNType::get(context);
  case DataType::Float8E4M3FNUZ:
    return mlir::Float8E4M3FNUZType::get(context);
  case DataType::Float8E5M2:
    return mlir::Float8E5M2Type::get(context);
  case DataType::Float8E5M2FNUZ:
    return mlir::Float8E5M2FNUZType::get(context);
  case DataType::Float4E2M1:
    return mlir::Float4E2M1FNType::get(context);
  case DataType::Float8E8M0:
    return mlir::Float8E8M0FNUType::get(context);
  case DataType::Bool:
    return mlir::IntegerType::get(context, 1);
  default:
    return isInteger(type) ? mlir::Type(mlir::IntegerType::get(context, bitsOf(type))) : mlir::Type();
  }
}
