// The moe dialect: types, attributes, operations.
#ifndef MOEC_DIALECTS_MOE_MOE_H
#define MOEC_DIALECTS_MOE_MOE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/bit.h"

#include <optional>

namespace moec::moe {
/// A double as an attribute's parameter: compares and hashes by its bits.
struct F64 {
  double value = 0;
  F64(double value = 0) : value(value) {}
  operator double() const { return value; }
  bool operator==(const F64 &other) const { return llvm::bit_cast<uint64_t>(value) == llvm::bit_cast<uint64_t>(other.value); }
  friend llvm::hash_code hash_value(const F64 &f) { return llvm::hash_value(llvm::bit_cast<uint64_t>(f.value)); }
};

/// Which keys a query of a function of tensors sees, as moe.attention describes it; the last two may be null.
struct Attended {
  mlir::Value lengths, first, bias;
};

/// tensor<?xWxf32> with static W: one row per token or output.
bool isRows(mlir::Type type);
/// tensor<?xi32>.
bool isTokenIds(mlir::Type type);
/// Words that say how the token of an output is to be chosen (moe.sample), and the type of rows of them.
inline constexpr int64_t samplingWords = 5;
mlir::RankedTensorType samplingType(mlir::MLIRContext *context);
bool isSampling(mlir::Type type);
/// tensor<?xkxi32> with static k.
bool isExpertIds(mlir::Type type);
/// tensor<?xi64>: a number for each sequence.
bool isCounts(mlir::Type type);
/// A tensor of f32 of rank 4.
bool isScoreBias(mlir::Type type);
/// tensor<?xWxf32> or tensor<?xWxbf16> with static W: one row per position of every sequence.
bool isCache(mlir::Type type);
/// A statically shaped tensor of a storage type (at most 64 bits), with rows of whole bytes, whose size in bits fits an int64_t.
bool isWeight(mlir::Type type);
/// What dequantising values of `type` gives: their shape in f32.
mlir::Type dequantizedType(mlir::Type type);
/// Bytes that the weight `value` takes where it is stored: of its numbers and all their scales, if it is dequantised.
int64_t storedBytes(mlir::Value weight);
/// Whether one piece of code can read the rows of two weights: they are stored in the same types, and as many columns share a
/// scale.
bool isStoredAlike(mlir::Value a, mlir::Value b);
/// The width of rows: the last dimension of `type`.
int64_t widthOf(mlir::Type type);
/// Whether `op` treats each row of its operands by itself, so that it can be part of a moe.rowwise.
bool isRowwise(mlir::Operation *op);
} // namespace moec::moe

namespace mlir {
template <> struct FieldParser<moec::moe::F64> {
  static FailureOr<moec::moe::F64> parse(AsmParser &parser) {
    double value;
    if (parser.parseFloat(value))
      return failure();
    return moec::moe::F64(value);
  }
};
template <> struct FieldParser<std::optional<moec::moe::F64>> {
  static FailureOr<std::optional<moec::moe::F64>> parse(AsmParser &parser) {
    FailureOr<moec::moe::F64> value = FieldParser<moec::moe::F64>::parse(parser);
    if (failed(value))
      return failure();
    return std::optional<moec::moe::F64>(*value);
  }
};
} // namespace mlir

#include "dialects/moe/MoEDialect.h.inc"
#include "dialects/moe/MoEEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/moe/MoETypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/moe/MoEAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/moe/MoEOps.h.inc"

#endif // MOEC_DIALECTS_MOE_MOE_H
