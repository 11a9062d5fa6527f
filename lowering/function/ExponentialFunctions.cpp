// Exponentials, logarithms, and what is made of them.
#include "lowering/function/PreciseFunctions.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::precise;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();
/// ln 2 in two parts, the first with so few bits that its product with an exponent is exact.
constexpr double ln2High = 0x1.62e42feep-1, ln2Low = 0x1.a39ef35793c76p-33;
constexpr double log2E = 0x1.71547652b82fep0;

Number integerBits(Number x) { return x.bitsAs(x.builder->getI64Type()); }
Number fromBits(Number bits) { return bits.bitsAs(bits.builder->getF64Type()); }

/// 2^exponent, of an integer within the range of normal numbers.
Number powerOfTwo(Number exponent) { return fromBits((exponent + int64_t(1023)) << 52); }

/// The nearest integer to x, as a float and as an i64, for |x| < 2^51. No conversion, which would not be defined for NaN.
std::pair<Number, Number> nearest(Number x) {
  Number magic = x.like(0x1.8p52), shifted = x + magic;
  return {shifted - magic, integerBits(shifted) - integerBits(magic)};
}
} // namespace

Number precise::polynomial(Number x, ArrayRef<double> coefficients) {
  Number sum = x.like(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, x.like(coefficient));
  return sum;
}

Number precise::absolute(Number x) { return {*x.builder, math::AbsFOp::create(*x.builder, x.value)}; }
Number precise::withSign(Number magnitude, Number sign) {
  return {*sign.builder, math::CopySignOp::create(*sign.builder, magnitude.value, sign.value)};
}
Number precise::truncate(Number x) { return {*x.builder, math::TruncOp::create(*x.builder, x.value)}; }
Number precise::squareRoot(Number x) { return {*x.builder, math::SqrtOp::create(*x.builder, x.value)}; }

Number precise::exp(Number x) {
  // exp(x) = 2^k exp(r), |r| <= ln 2 / 2; the power in two factors, for results below the normal numbers.
  Number bounded = minimum(x.like(800.0), maximum(x.like(-800.0), x)); // in this order a NaN stays
  auto [k, exponent] = nearest(bounded * x.like(log2E));
  Number r = fma(k, x.like(-ln2Low), fma(k, x.like(-ln2High), bounded));
  Number power = polynomial(r, {1, 1, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800,
                                1. / 39916800, 1. / 479001600, 1. / 6227020800});
  // Halved as an unsigned number that is not negative.
  Number half = ((exponent + int64_t(4096)) >> 1) - int64_t(2048);
  return power * powerOfTwo(half) * powerOfTwo(exponent - half);
}

Number precise::log(Number x) {
  // x = 2^e m with m near 1, and log m = 2 atanh f of f = (m - 1) / (m + 1).
  Number isSmall = x < x.like(0x1p-1022);
  Number scaled = select(isSmall, x * x.like(0x1p54), x);
  Number bits = integerBits(scaled), lowest = bits.like(int64_t(0x3fe6a09e667f3bcd)); // the square root of 1/2
  Number distance = bits - lowest;                                                    // its exponent may be negative
  Number exponent = ((distance + (int64_t(1) << 62)) >> 52) - int64_t(1024);
  Number m = fromBits(bits - (exponent << 52));
  Number e = fromBits(exponent + int64_t(0x4338000000000000)) - x.like(0x1.8p52); // as the float that it is
  e = select(isSmall, e - x.like(54.0), e);
  Number one = x.like(1.0), f = (m - one) / (m + one), s = f * f;
  Number series = polynomial(s, {2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21, 2. / 23});
  Number logM = fma(f * s, series, f + f);
  Number result = fma(e, x.like(ln2High), fma(e, x.like(ln2Low), logM));
  result = select(x == x.like(infinity), x, result);
  result = select(x == x.like(0.0), x.like(-infinity), result);
  return select(x >= x.like(0.0), result, x.like(notANumber));
}

Number precise::expm1(Number x) {
  // The error of exp(x) - 1 is that of log(exp(x)) (Kahan).
  Number one = x.like(1.0), u = exp(x), difference = u - one;
  Number corrected = difference * x / log(u);
  corrected = select(u == one, x, corrected);
  corrected = select(u > x.like(0x1p60), difference, corrected); // infinity over infinity
  return select(u < x.like(0x1p-60), x.like(-1.0), corrected);
}

Number precise::log1p(Number x) {
  Number one = x.like(1.0), u = x + one;
  Number corrected = log(u) * x / (u - one);
  corrected = select(u == one, x, corrected);
  return select(u > x.like(0x1p60), log(u), corrected);
}

Number precise::pow(Number base, Number exponent) {
  Number zero = base.like(0.0), one = base.like(1.0), half = base.like(0.5);
  Number magnitude = exp(exponent * log(absolute(base)));
  Number isInteger = truncate(exponent) == exponent;
  Number halved = exponent * half, isOdd = isInteger & (truncate(halved) != halved);
  Number isNegative = withSign(one, base) < zero;
  Number result = select(isNegative & isOdd, -magnitude, magnitude);
  Number isFinite = absolute(base) < base.like(infinity);
  result = select((base < zero) & isFinite & (isInteger == isInteger.like(int64_t(0))), base.like(notANumber), result);
  // One to any power, and anything to the power of nothing.
  Number oneAtInfinity = (base == base.like(-1.0)) & (absolute(exponent) == base.like(infinity));
  return select((exponent == zero) | (base == one) | oneAtInfinity, one, result);
}

Number precise::cbrt(Number x) {
  Number third = x.like(1.0 / 3), root = exp(log(absolute(x)) * third);
  Number better = root - (root - absolute(x) / (root * root)) * third;
  Number isPlain = (absolute(x) > x.like(0.0)) & (absolute(x) < x.like(infinity));
  return withSign(select(isPlain, better, absolute(x)), x);
}

Number precise::sinh(Number x) {
  Number e = expm1(absolute(x)), half = x.like(0.5), power = exp(absolute(x) * half);
  Number result = half * (e + e / (e + x.like(1.0)));
  return withSign(select(absolute(x) > x.like(30.0), half * power * power, result), x);
}

Number precise::cosh(Number x) {
  Number half = x.like(0.5), power = exp(absolute(x) * half), whole = exp(absolute(x));
  return select(absolute(x) > x.like(30.0), half * power * power, half * (whole + x.like(1.0) / whole));
}

Number precise::tanh(Number x) {
  Number e = expm1(x.like(-2.0) * absolute(x));
  return withSign(-e / (e + x.like(2.0)), x);
}

Number precise::asinh(Number x) {
  Number one = x.like(1.0), a = absolute(x);
  Number result = log1p(a + a * a / (one + squareRoot(a * a + one)));
  return withSign(select(a > x.like(0x1p60), log(a) + x.like(0x1.62e42fefa39efp-1), result), x);
}

Number precise::acosh(Number x) {
  Number t = x - x.like(1.0);
  return select(x > x.like(0x1p60), log(x) + x.like(0x1.62e42fefa39efp-1), log1p(t + squareRoot(t + t + t * t)));
}

Number precise::atanh(Number x) {
  Number a = absolute(x);
  return withSign(x.like(0.5) * log1p((a + a) / (x.like(1.0) - a)), x);
}

Number precise::round(Number x) {
  Number whole = truncate(x), isHalf = absolute(x - whole) >= x.like(0.5);
  return withSign(absolute(whole) + select(isHalf, x.like(1.0), x.like(0.0)), x);
}

Number precise::remainder(Number x, Number y) {
  // Exact where the quotient is below 2^53, but that it may have been rounded up.
  Number a = absolute(x), b = absolute(y);
  Number rest = fma(-truncate(a / b), b, a);
  rest = select(rest < x.like(0.0), rest + b, rest);
  rest = select((b == x.like(infinity)) & (a < x.like(infinity)), a, rest);
  return withSign(rest, x);
}
