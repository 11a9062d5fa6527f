// A narrow float's bits moved to where f32 has exponent and fraction are its value but for a power of two, which a product
// corrects; subnormal numbers need nothing else.
#include "importers/onnx/Minifloat.h"
#include "importers/onnx/Scalars.h"

#include <cmath>

using namespace mlir;
using namespace mlir::arith;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

/// How a type's bits mean numbers: sign, exponent, fraction. `special` is the least magnitude that is no finite number; 0 where
/// only the negative zero is NaN, or nothing is.
struct Layout {
  unsigned fraction, bias, special, nan;
  bool hasNegativeZero;
};

Layout layoutOf(FloatType type) {
  if (isa<Float8E4M3FNType>(type))
    return {3, 7, 0x7f, 0x7f, true};
  if (isa<Float8E5M2Type>(type))
    return {2, 15, 0x7c, 0x7f, true};
  if (isa<Float8E4M3FNUZType>(type))
    return {3, 8, 0, 0x80, false};
  if (isa<Float8E5M2FNUZType>(type))
    return {2, 16, 0, 0x80, false};
  return {1, 1, 0, 0x8, true}; // f4E2M1FN
}

/// The power of two between a narrow float and its bits read as f32.
double factorOf(const Layout &layout) { return std::exp2(127 - int(layout.bias)); }

/// Powers of two alone: the code is f32's exponent.
Value widenExponent(Scalars &s, Value code) {
  ImplicitLocOpBuilder &b = s.b;
  Type i32 = code.getType();
  // 2^-127 is subnormal in f32.
  Value isLeast = CmpIOp::create(b, CmpIPredicate::eq, code, s.number(i32, 0));
  Value bits = s.select(isLeast, s.number(i32, 1 << 22), ShLIOp::create(b, code, s.number(i32, 23)));
  Value isNaN = CmpIOp::create(b, CmpIPredicate::eq, code, s.number(i32, 255));
  return BitcastOp::create(b, b.getF32Type(), s.select(isNaN, s.number(i32, 0x7fc00000), bits));
}

Value narrowExponent(Scalars &s, Value x) {
  ImplicitLocOpBuilder &b = s.b;
  Type i32 = b.getI32Type();
  Value bits = BitcastOp::create(b, i32, x), exponent = ShRUIOp::create(b, bits, s.number(i32, 23));
  Value fraction = AndIOp::create(b, bits, s.number(i32, 0x7fffff));
  Value isBetween = CmpIOp::create(b, CmpIPredicate::ne, fraction, s.number(i32, 0));
  Value rounded = MinUIOp::create(b, AddIOp::create(b, exponent, ExtUIOp::create(b, i32, isBetween)), s.number(i32, 254));
  return s.select(s.isNaN(x), s.number(i32, 255), rounded);
}

} // namespace

Value onnx::widenMinifloat(ImplicitLocOpBuilder &b, Value x) {
  auto type = cast<FloatType>(x.getType());
  Scalars s(b);
  Type i32 = b.getI32Type();
  Value code = ExtUIOp::create(b, i32, BitcastOp::create(b, b.getIntegerType(type.getWidth()), x));
  if (isa<Float8E8M0FNUType>(type))
    return widenExponent(s, code);
  Layout layout = layoutOf(type);
  unsigned signBit = type.getWidth() - 1;
  Value magnitude = AndIOp::create(b, code, s.number(i32, (1 << signBit) - 1));
  Value shifted = ShLIOp::create(b, magnitude, s.number(i32, 23 - layout.fraction));
  Value number = MulFOp::create(b, BitcastOp::create(b, b.getF32Type(), shifted), s.number(b.getF32Type(), factorOf(layout)));
  if (layout.special) { // infinity, where there is one, then NaN
    Value isNaN = CmpIOp::create(b, CmpIPredicate::ugt, magnitude, s.number(i32, layout.special));
    Value isSpecial = CmpIOp::create(b, CmpIPredicate::eq, magnitude, s.number(i32, layout.special));
    bool hasInfinity = layout.special != layout.nan;
    Value notANumber = s.number(b.getF32Type(), NAN);
    number = s.select(isSpecial, hasInfinity ? s.infinity(b.getF32Type(), false) : notANumber, number);
    number = s.select(isNaN, notANumber, number);
  }
  Value isNegative = CmpIOp::create(b, CmpIPredicate::uge, code, s.number(i32, 1 << signBit));
  number = s.select(isNegative, s.negate(number), number);
  if (layout.hasNegativeZero)
    return number;
  Value isNaN = CmpIOp::create(b, CmpIPredicate::eq, code, s.number(i32, layout.nan));
  return s.select(isNaN, s.number(b.getF32Type(), NAN), number);
}

Value onnx::narrowToMinifloat(ImplicitLocOpBuilder &b, Value x, FloatType type, bool saturate) {
  Scalars s(b);
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  auto finish = [&](Value code) -> Value {
    return BitcastOp::create(b, type, TruncIOp::create(b, b.getIntegerType(type.getWidth()), code));
  };
  if (isa<Float8E8M0FNUType>(type))
    return finish(narrowExponent(s, x));
  Layout layout = layoutOf(type);
  double largest = llvm::APFloat::getLargest(type.getFloatSemantics()).convertToDouble();
  Value magnitude = s.absolute(x);
  bool staysFinite = saturate || type.getWidth() < 8;
  if (staysFinite)
    magnitude = MinimumFOp::create(b, magnitude, s.number(f32, largest));
  Value bits = BitcastOp::create(b, i32, MulFOp::create(b, magnitude, s.number(f32, 1 / factorOf(layout))));
  unsigned drop = 23 - layout.fraction;
  Value isOdd = AndIOp::create(b, ShRUIOp::create(b, bits, s.number(i32, drop)), s.number(i32, 1));
  Value rounded = AddIOp::create(b, AddIOp::create(b, bits, s.number(i32, (1 << (drop - 1)) - 1)), isOdd);
  Value code = ShRUIOp::create(b, rounded, s.number(i32, drop));
  if (!staysFinite) {
    unsigned most = layout.special ? layout.special : 0x80, beyond = layout.special ? layout.special : layout.nan;
    Value isTooLarge = CmpIOp::create(b, CmpIPredicate::uge, code, s.number(i32, most));
    code = s.select(isTooLarge, s.number(i32, beyond), code);
  }
  Value isNegative = CmpIOp::create(b, CmpIPredicate::slt, BitcastOp::create(b, i32, x), s.number(i32, 0));
  if (!layout.hasNegativeZero)
    isNegative = s.both(isNegative, CmpIOp::create(b, CmpIPredicate::ne, code, s.number(i32, 0)));
  Value sign = s.select(isNegative, s.number(i32, 1 << (type.getWidth() - 1)), s.number(i32, 0));
  code = OrIOp::create(b, code, sign);
  return finish(s.select(s.isNaN(x), s.number(i32, layout.nan), code));
}
