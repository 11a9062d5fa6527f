// Each operation in its form for floats or for integers.
#include "importers/onnx/Scalars.h"
#include "importers/onnx/Minifloat.h"

#include "llvm/ADT/APFloat.h"

#include <cmath>

using namespace mlir;
using namespace mlir::arith;
using namespace moec::importers;
using namespace moec::importers::onnx;

Value Scalars::number(Type type, double value) {
  if (auto floatType = dyn_cast<FloatType>(type)) {
    llvm::APFloat exact(value);
    bool losesInfo;
    exact.convert(floatType.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    return ConstantOp::create(b, FloatAttr::get(floatType, exact));
  }
  if (std::isinf(value))
    return extreme(type, value < 0);
  return ConstantOp::create(b, IntegerAttr::get(type, llvm::APInt(type.isIndex() ? 64 : type.getIntOrFloatBitWidth(),
                                                                  static_cast<uint64_t>(static_cast<int64_t>(value)),
                                                                  /*isSigned=*/true, /*implicitTrunc=*/true)));
}

Value Scalars::infinity(Type type, bool isNegative) {
  auto floatType = cast<FloatType>(type);
  return ConstantOp::create(b, FloatAttr::get(floatType, llvm::APFloat::getInf(floatType.getFloatSemantics(), isNegative)));
}

Value Scalars::extreme(Type type, bool isLeast) {
  if (isa<FloatType>(type))
    return infinity(type, isLeast);
  unsigned bits = type.getIntOrFloatBitWidth();
  llvm::APInt value = isUnsigned || bits == 1
                          ? (isLeast ? llvm::APInt::getMinValue(bits) : llvm::APInt::getMaxValue(bits))
                          : (isLeast ? llvm::APInt::getSignedMinValue(bits) : llvm::APInt::getSignedMaxValue(bits));
  return ConstantOp::create(b, IntegerAttr::get(type, value));
}

template <typename FloatOp, typename IntOp> Value Scalars::oneOf(Value x, Value y) {
  return isa<FloatType>(x.getType()) ? Value(FloatOp::create(b, x, y)) : Value(IntOp::create(b, x, y));
}

Value Scalars::add(Value x, Value y) { return oneOf<AddFOp, AddIOp>(x, y); }
Value Scalars::subtract(Value x, Value y) { return oneOf<SubFOp, SubIOp>(x, y); }
Value Scalars::multiply(Value x, Value y) { return oneOf<MulFOp, MulIOp>(x, y); }
Value Scalars::maximum(Value x, Value y) {
  return isUnsigned ? oneOf<MaximumFOp, MaxUIOp>(x, y) : oneOf<MaximumFOp, MaxSIOp>(x, y);
}
Value Scalars::minimum(Value x, Value y) {
  return isUnsigned ? oneOf<MinimumFOp, MinUIOp>(x, y) : oneOf<MinimumFOp, MinSIOp>(x, y);
}

Value Scalars::divide(Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return DivFOp::create(b, x, y);
  Value one = like(y, 1), isZero = equal(y, like(y, 0));
  if (isUnsigned)
    return DivUIOp::create(b, x, select(isZero, one, y));
  Value isMinusOne = equal(y, like(y, -1)); // the least number by -1 is no number
  return select(isMinusOne, negate(x), DivSIOp::create(b, x, select(either(isZero, isMinusOne), one, y)));
}

Value Scalars::remainder(Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return RemFOp::create(b, x, y);
  Value one = like(y, 1), isZero = equal(y, like(y, 0));
  if (isUnsigned)
    return RemUIOp::create(b, x, select(isZero, one, y));
  return RemSIOp::create(b, x, select(either(isZero, equal(y, like(y, -1))), one, y));
}

Value Scalars::negate(Value x) {
  return isa<FloatType>(x.getType()) ? Value(NegFOp::create(b, x)) : Value(SubIOp::create(b, like(x, 0), x));
}

Value Scalars::absolute(Value x) {
  if (isa<FloatType>(x.getType()))
    return math::AbsFOp::create(b, x);
  return isUnsigned ? x : math::AbsIOp::create(b, x);
}

Value Scalars::compare(Value x, Value y, CmpFPredicate ordered, CmpIPredicate isSigned, CmpIPredicate unsignedPredicate) {
  if (isa<FloatType>(x.getType()))
    return CmpFOp::create(b, ordered, x, y);
  return CmpIOp::create(b, isUnsigned ? unsignedPredicate : isSigned, x, y);
}

Value Scalars::equal(Value x, Value y) { return compare(x, y, CmpFPredicate::OEQ, CmpIPredicate::eq, CmpIPredicate::eq); }
Value Scalars::less(Value x, Value y) { return compare(x, y, CmpFPredicate::OLT, CmpIPredicate::slt, CmpIPredicate::ult); }
Value Scalars::lessOrEqual(Value x, Value y) { return compare(x, y, CmpFPredicate::OLE, CmpIPredicate::sle, CmpIPredicate::ule); }

Value Scalars::sigmoid(Value x) {
  Value one = like(x, 1);
  return DivFOp::create(b, one, AddFOp::create(b, one, exponential(negate(x))));
}

Value Scalars::power(Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return math::PowFOp::create(b, x, y);
  DataType type = isUnsigned ? DataType::UInt64 : DataType::Int64;
  Value power = math::PowFOp::create(b, convert(x, type, DataType::Float64), convert(y, type, DataType::Float64));
  Value whole = FPToSIOp::create(b, b.getI64Type(), power);
  return x.getType() == whole.getType() ? whole : Value(TruncIOp::create(b, x.getType(), whole));
}

static Value resizeInteger(ImplicitLocOpBuilder &b, Value x, Type to, bool isUnsigned) {
  unsigned from = x.getType().getIntOrFloatBitWidth(), bits = to.getIntOrFloatBitWidth();
  if (from == bits)
    return x;
  if (from > bits)
    return TruncIOp::create(b, to, x);
  return isUnsigned ? Value(ExtUIOp::create(b, to, x)) : Value(ExtSIOp::create(b, to, x));
}

static Value resizeFloat(ImplicitLocOpBuilder &b, Value x, Type to) {
  unsigned from = x.getType().getIntOrFloatBitWidth(), bits = to.getIntOrFloatBitWidth();
  if (x.getType() == to)
    return x;
  if (from < bits)
    return ExtFOp::create(b, to, x);
  if (from > bits)
    return TruncFOp::create(b, to, x);
  return TruncFOp::create(b, to, ExtFOp::create(b, b.getF32Type(), x)); // f16 and bf16
}

Value Scalars::convert(Value x, DataType from, DataType to, bool saturate) {
  Type target = typeOf(to, b.getContext());
  bool fromFloat = isFloat(from), fromUnsigned = onnx::isUnsigned(from) || from == DataType::Bool;
  if (from == to)
    return x;
  if (fromFloat && bitsOf(from) <= 8)
    return convert(widenMinifloat(b, x), DataType::Float32, to, saturate);
  if (to == DataType::Bool)
    return fromFloat ? Value(CmpFOp::create(b, CmpFPredicate::UNE, x, like(x, 0)))
                     : Value(CmpIOp::create(b, CmpIPredicate::ne, x, like(x, 0)));
  if (fromFloat && isFloat(to)) {
    if (bitsOf(to) > 8)
      return resizeFloat(b, x, target);
    return narrowToMinifloat(b, resizeFloat(b, x, b.getF32Type()), cast<FloatType>(target), saturate);
  }
  if (isFloat(to)) {
    // Elements of 8 bits and fewer have no conversion from integers.
    Type through = bitsOf(to) < 16 ? b.getF32Type() : target;
    Value number = fromUnsigned ? Value(UIToFPOp::create(b, through, x)) : Value(SIToFPOp::create(b, through, x));
    return bitsOf(to) < 16 ? narrowToMinifloat(b, number, cast<FloatType>(target), saturate) : number;
  }
  if (!fromFloat)
    return resizeInteger(b, x, target, fromUnsigned);
  if (to == DataType::UInt64)
    return FPToUIOp::create(b, target, x);
  // What an integer cannot hold wraps around, as in numpy.
  return resizeInteger(b, FPToSIOp::create(b, b.getI64Type(), x), target, false);
}

Value Scalars::toIndex(Value x) {
  if (x.getType().isIndex())
    return x;
  return isUnsigned ? Value(IndexCastUIOp::create(b, b.getIndexType(), x)) : Value(IndexCastOp::create(b, b.getIndexType(), x));
}
