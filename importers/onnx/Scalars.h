// Arithmetic on elements of tensors.
#ifndef MOEC_IMPORTERS_ONNX_SCALARS_H
#define MOEC_IMPORTERS_ONNX_SCALARS_H

#include "importers/onnx/DataType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec::importers::onnx {

/// Builds ops on floats or integers alike. Integers are signless in IR, so whoever asks says whether they are unsigned.
class Scalars {
public:
  using Value = mlir::Value;
  Scalars(mlir::ImplicitLocOpBuilder &b, bool isUnsigned = false) : b(b), isUnsigned(isUnsigned) {}

  /// Of an integer type, an infinite number is the least or greatest there is.
  Value number(mlir::Type type, double value);
  Value like(Value other, double value) { return number(other.getType(), value); }
  Value infinity(mlir::Type type, bool isNegative);
  /// The least or greatest that an element can be: infinite for floats.
  Value extreme(mlir::Type type, bool isLeast);

  Value add(Value x, Value y);
  Value subtract(Value x, Value y);
  Value multiply(Value x, Value y);
  /// Of integers: towards zero, and by zero anything, but without a fault.
  Value divide(Value x, Value y);
  /// Like C's % and fmod: of the sign of x.
  Value remainder(Value x, Value y);
  Value maximum(Value x, Value y);
  Value minimum(Value x, Value y);
  Value negate(Value x);
  Value absolute(Value x);

  Value equal(Value x, Value y);
  Value less(Value x, Value y);
  Value lessOrEqual(Value x, Value y);
  Value isNaN(Value x) { return mlir::arith::CmpFOp::create(b, mlir::arith::CmpFPredicate::UNO, x, x); }
  Value select(Value condition, Value x, Value y) { return mlir::arith::SelectOp::create(b, condition, x, y); }
  Value both(Value x, Value y) { return mlir::arith::AndIOp::create(b, x, y); }
  Value either(Value x, Value y) { return mlir::arith::OrIOp::create(b, x, y); }
  Value negation(Value x) { return mlir::arith::XOrIOp::create(b, x, number(x.getType(), -1)); }

  /// An op of math with one operand.
  template <typename Op> Value function(Value x) { return Op::create(b, x); }
  Value exponential(Value x) { return function<mlir::math::ExpOp>(x); }
  Value sigmoid(Value x);
  Value power(Value x, Value y);

  /// Between element types of ONNX, as Cast means it, and to and from index.
  Value convert(Value x, DataType from, DataType to, bool saturate = true);
  Value toIndex(Value x);
  Value index(int64_t value) { return mlir::arith::ConstantIndexOp::create(b, value); }

  mlir::ImplicitLocOpBuilder &b;
  bool isUnsigned;

private:
  template <typename FloatOp, typename IntOp> Value oneOf(Value x, Value y);
  Value compare(Value x, Value y, mlir::arith::CmpFPredicate ordered, mlir::arith::CmpIPredicate isSigned,
                mlir::arith::CmpIPredicate isUnsigned);
};

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_SCALARS_H
