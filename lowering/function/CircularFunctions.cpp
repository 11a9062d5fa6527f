// Circular functions and their inverses.
#include "lowering/function/PreciseFunctions.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::precise;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
/// Pi / 2 in three parts of 53 bits.
constexpr double halfPi = 0x1.921fb54442d18p0, halfPiMiddle = 0x1.1a62633145c07p-54, halfPiLow = -0x1.f1976b7ed8fbcp-110;

/// x as a multiple of pi / 2 and what is left of it; the multiple's lowest bits as an integer.
std::pair<Number, Number> reduce(Number x) {
  Number magic = x.like(0x1.8p52), shifted = x * x.like(1 / halfPi) + magic, k = shifted - magic;
  Number rest = fma(k, x.like(-halfPiLow), fma(k, x.like(-halfPiMiddle), fma(k, x.like(-halfPi), x)));
  return {rest, shifted.bitsAs(x.builder->getI64Type())};
}

Number sinNearZero(Number x) {
  Number s = x * x;
  return fma(x * s,
             polynomial(s, {-1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800, 1. / 6227020800, -1. / 1307674368000,
                            1. / 355687428096000}),
             x);
}

Number cosNearZero(Number x) {
  return polynomial(
      x * x, {1, -1. / 2, 1. / 24, -1. / 720, 1. / 40320, -1. / 3628800, 1. / 479001600, -1. / 87178291200, 1. / 20922789888000});
}

Number hasBit(Number integer, int64_t bit) { return (integer & integer.like(bit)) != 0; }

/// atan of a number from 0 to 1.
Number atanToOne(Number x) {
  Number one = x.like(1.0), turns = x > x.like(0.41421356237309503);
  Number t = select(turns, (x - one) / (x + one), x), s = t * t;
  double coefficients[22];
  for (int n = 0; n < 22; ++n)
    coefficients[n] = (n % 2 ? 1.0 : -1.0) / (2 * n + 3);
  Number angle = fma(t * s, polynomial(s, coefficients), t);
  return select(turns, angle + x.like(halfPi / 2), angle);
}
} // namespace

Number precise::sin(Number x) {
  auto [rest, quadrant] = reduce(x);
  Number value = select(hasBit(quadrant, 1), cosNearZero(rest), sinNearZero(rest));
  return select(hasBit(quadrant, 2), -value, value);
}

Number precise::cos(Number x) {
  auto [rest, quadrant] = reduce(x);
  Number value = select(hasBit(quadrant, 1), sinNearZero(rest), cosNearZero(rest));
  return select(hasBit(quadrant + int64_t(1), 2), -value, value);
}

Number precise::tan(Number x) {
  auto [rest, quadrant] = reduce(x);
  Number sine = sinNearZero(rest), cosine = cosNearZero(rest);
  return select(hasBit(quadrant, 1), -cosine / sine, sine / cosine);
}

Number precise::atan(Number x) {
  Number a = absolute(x), inverts = a > x.like(1.0);
  Number angle = atanToOne(select(inverts, x.like(1.0) / a, a));
  return withSign(select(inverts, x.like(halfPi) - angle, angle), x);
}

Number precise::atan2(Number y, Number x) {
  Number a = absolute(y), b = absolute(x), zero = x.like(0.0), one = x.like(1.0);
  Number larger = maximum(a, b), ratio = minimum(a, b) / larger;
  ratio = select(larger == zero, zero, ratio);
  ratio = select(minimum(a, b) == x.like(infinity), one, ratio);
  Number angle = atanToOne(ratio);
  angle = select(a > b, x.like(halfPi) - angle, angle);
  angle = select(withSign(one, x) < zero, x.like(2 * halfPi) - angle, angle);
  Number areNumbers = (x == x) & (y == y);
  return select(areNumbers, withSign(angle, y), x + y);
}

Number precise::asin(Number x) {
  Number one = x.like(1.0);
  return atan2(x, squareRoot((one - x) * (one + x)));
}

Number precise::acos(Number x) {
  Number one = x.like(1.0);
  return atan2(squareRoot((one - x) * (one + x)), x);
}
