// The operations behind the operators of numbers and pointers.
#include "lowering/kernel/Number.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;

/// `element` in a vector of `lanes`, or itself for 0.
static Type inLanes(Type element, int64_t lanes) { return lanes ? Type(VectorType::get(lanes, element)) : element; }

int64_t Number::lanes() const {
  auto vector = dyn_cast<VectorType>(type());
  return vector ? vector.getNumElements() : 0;
}

static Number constantOf(const Number &model, TypedAttr attr) {
  TypedAttr value = attr;
  if (auto vector = dyn_cast<VectorType>(model.type()))
    value = DenseElementsAttr::get(vector, Attribute(attr));
  return {*model.builder, arith::ConstantOp::create(*model.builder, value)};
}

Number Number::like(double constant) const {
  return constantOf(*this, builder->getFloatAttr(getElementTypeOrSelf(type()), constant));
}

Number Number::like(int64_t constant) const {
  if (isFloat())
    return like(double(constant));
  return constantOf(*this, builder->getIntegerAttr(getElementTypeOrSelf(type()), constant));
}

Number Number::splat(int64_t lanes) const {
  return lanes ? Number(*builder, vector::BroadcastOp::create(*builder, VectorType::get(lanes, type()), value)) : *this;
}

Number Number::shuffle(Number other, ArrayRef<int64_t> mask) const {
  return {*builder, vector::ShuffleOp::create(*builder, value, other.value, mask)};
}

Number Number::lane(int64_t index) const { return {*builder, vector::ExtractOp::create(*builder, value, index)}; }

Number Number::bitsAs(Type element) const {
  Type result = inLanes(element, lanes());
  return isVector() ? Number(*builder, vector::BitCastOp::create(*builder, cast<VectorType>(result), value))
                    : Number(*builder, arith::BitcastOp::create(*builder, result, value));
}

static Number resize(const Number &number, Type element, bool isSigned) {
  Type result = inLanes(element, number.lanes());
  unsigned from = getElementTypeOrSelf(number.type()).getIntOrFloatBitWidth(), to = element.getIntOrFloatBitWidth();
  ImplicitLocOpBuilder &b = *number.builder;
  if (from == to)
    return number;
  if (from > to)
    return {b, arith::TruncIOp::create(b, result, number.value)};
  return isSigned ? Number(b, arith::ExtSIOp::create(b, result, number.value))
                  : Number(b, arith::ExtUIOp::create(b, result, number.value));
}

Number Number::toInteger(Type element) const { return resize(*this, element, true); }
Number Number::toUnsigned(Type element) const { return resize(*this, element, false); }

Number Number::toReal() const {
  return {*builder, arith::SIToFPOp::create(*builder, inLanes(builder->getF32Type(), lanes()), value)};
}

template <typename FloatOp, typename IntegerOp> static Number binary(Number a, Number b) {
  ImplicitLocOpBuilder &builder = *a.builder;
  return a.isFloat() ? Number(builder, FloatOp::create(builder, a.value, b.value))
                     : Number(builder, IntegerOp::create(builder, a.value, b.value));
}

Number moec::lowering::operator+(Number a, Number b) { return binary<arith::AddFOp, arith::AddIOp>(a, b); }
Number moec::lowering::operator-(Number a, Number b) { return binary<arith::SubFOp, arith::SubIOp>(a, b); }
Number moec::lowering::operator*(Number a, Number b) { return binary<arith::MulFOp, arith::MulIOp>(a, b); }
Number moec::lowering::operator/(Number a, Number b) { return binary<arith::DivFOp, arith::DivSIOp>(a, b); }
Number moec::lowering::operator%(Number a, Number b) { return binary<arith::RemFOp, arith::RemSIOp>(a, b); }
Number moec::lowering::operator&(Number a, Number b) { return {*a.builder, arith::AndIOp::create(*a.builder, a.value, b.value)}; }
Number moec::lowering::operator|(Number a, Number b) { return {*a.builder, arith::OrIOp::create(*a.builder, a.value, b.value)}; }
Number moec::lowering::operator^(Number a, Number b) { return {*a.builder, arith::XOrIOp::create(*a.builder, a.value, b.value)}; }
Number moec::lowering::operator<<(Number a, int64_t bits) {
  return {*a.builder, arith::ShLIOp::create(*a.builder, a.value, a.like(bits).value)};
}
Number moec::lowering::operator<<(Number a, Number bits) {
  return {*a.builder, arith::ShLIOp::create(*a.builder, a.value, bits.value)};
}
Number moec::lowering::operator>>(Number a, int64_t bits) {
  return {*a.builder, arith::ShRUIOp::create(*a.builder, a.value, a.like(bits).value)};
}
Number moec::lowering::operator>>(Number a, Number bits) {
  return {*a.builder, arith::ShRUIOp::create(*a.builder, a.value, bits.value)};
}
Number moec::lowering::operator-(Number a) {
  return a.isFloat() ? Number(*a.builder, arith::NegFOp::create(*a.builder, a.value)) : a.like(int64_t(0)) - a;
}

static Number compare(Number a, Number b, arith::CmpFPredicate ofFloats, arith::CmpIPredicate ofIntegers) {
  ImplicitLocOpBuilder &builder = *a.builder;
  return a.isFloat() ? Number(builder, arith::CmpFOp::create(builder, ofFloats, a.value, b.value))
                     : Number(builder, arith::CmpIOp::create(builder, ofIntegers, a.value, b.value));
}

Number moec::lowering::operator<(Number a, Number b) { return compare(a, b, arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt); }
Number moec::lowering::operator<=(Number a, Number b) {
  return compare(a, b, arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle);
}
Number moec::lowering::operator>(Number a, Number b) { return b < a; }
Number moec::lowering::operator>=(Number a, Number b) { return b <= a; }
Number moec::lowering::operator==(Number a, Number b) { return compare(a, b, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq); }

Number moec::lowering::operator!=(Number a, Number b) { return compare(a, b, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne); }

Number moec::lowering::select(Number condition, Number a, Number b) {
  return {*a.builder, arith::SelectOp::create(*a.builder, condition.value, a.value, b.value)};
}
Number moec::lowering::minimum(Number a, Number b) { return select(a < b, a, b); }
Number moec::lowering::maximum(Number a, Number b) { return select(a > b, a, b); }
Number moec::lowering::bitLength(Number a) {
  Number zeros(*a.builder, math::CountLeadingZerosOp::create(*a.builder, a.value));
  return a.like(int64_t(getElementTypeOrSelf(a.type()).getIntOrFloatBitWidth())) - zeros;
}
Number moec::lowering::fma(Number a, Number b, Number c) {
  return {*a.builder, math::FmaOp::create(*a.builder, a.value, b.value, c.value)};
}

/// Negative integers count down where negative floats' bits count up.
static Number turnNegative(Number bits) {
  return select(bits < 0, bits.like(int64_t(std::numeric_limits<int32_t>::min())) - bits, bits);
}

Number moec::lowering::orderedBits(Number value) { return turnNegative(value.bitsAs(value.builder->getI32Type())); }
Number moec::lowering::fromOrderedBits(Number bits) { return turnNegative(bits).bitsAs(bits.builder->getF32Type()); }

Number moec::lowering::widen(Number value) {
  ImplicitLocOpBuilder &b = *value.builder;
  Type element = getElementTypeOrSelf(value.type());
  if (element.isF32())
    return value;
  if (element.isF16())
    return {b, arith::ExtFOp::create(b, inLanes(b.getF32Type(), value.lanes()), value.value)};
  Number bits = element.isBF16() ? value.bitsAs(b.getI16Type()) : value;
  return (bits.toUnsigned(b.getI32Type()) << 16).bitsAs(b.getF32Type());
}

Number moec::lowering::narrow(Number value, Type element) {
  ImplicitLocOpBuilder &b = *value.builder;
  if (element.isF32())
    return value;
  if (element.isF16())
    return {b, arith::TruncFOp::create(b, inLanes(element, value.lanes()), value.value)};
  // Written out in integers, so that every target rounds alike and none calls a library. A NaN stays one: its quiet bit is set.
  Number bits = value.bitsAs(b.getI32Type());
  Number rounded = (bits + ((bits >> 16) & bits.like(int64_t(1))) + 0x7fff) >> 16;
  Number quiet = (bits >> 16) | bits.like(int64_t(0x40));
  return select(value == value, rounded, quiet).toUnsigned(b.getI16Type());
}

int64_t moec::lowering::bytesOf(Type element) {
  return isa<LLVM::LLVMPointerType>(element) ? 8 : element.getIntOrFloatBitWidth() / 8;
}

Pointer Pointer::operator+(Number elements) const {
  return {*builder, LLVM::GEPOp::create(*builder, value.getType(), element, value, ValueRange(elements.value)), element};
}
Pointer Pointer::operator+(int64_t elements) const {
  return {*builder, LLVM::GEPOp::create(*builder, value.getType(), element, value, ArrayRef<LLVM::GEPArg>(LLVM::GEPArg(elements))),
          element};
}
Pointer Pointer::plusBytes(Number bytes) const { return (as(builder->getI8Type()) + bytes).as(element); }

Number Pointer::load(int64_t lanes, int64_t alignment) const {
  Type loaded = element.isBF16() ? builder->getI16Type() : element;
  return {*builder, LLVM::LoadOp::create(*builder, inLanes(loaded, lanes), value, alignment)};
}
void Pointer::store(Number stored, int64_t alignment) const { LLVM::StoreOp::create(*builder, stored.value, value, alignment); }
Number Pointer::address() const { return {*builder, LLVM::PtrToIntOp::create(*builder, builder->getI64Type(), value)}; }
Pointer Pointer::loadPointer(Type pointee) const {
  return {*builder, LLVM::LoadOp::create(*builder, value.getType(), value, 8), pointee};
}
void Pointer::prefetch(int cacheLevel) const {
  LLVM::Prefetch::create(*builder, value, /*rw=*/0, /*hint=*/4 - cacheLevel, /*cache=*/1);
}
