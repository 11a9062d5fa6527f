// The error function and its complement.
#include "lowering/function/PreciseFunctions.h"

#include <numbers>

using namespace moec::lowering;
using namespace moec::lowering::precise;

/// Chebyshev coefficients of log(erfc(z) / t) + z^2 over 2 t - 1, where t = 2 / (2 + z): fitted in 40 digits, the first halved.
static constexpr double complementCoefficients[] = {
    -1.3026537197817094 / 2, 0.6419697923564902,     0.019476473204185836,   -0.00956151478680863,    -0.0009465953444820376,
    0.0003668394978527622,   4.2523324806907024e-05, -2.02785781125335e-05,  -1.6242900046477649e-06, 1.3036558355812587e-06,
    1.5626441721334954e-08,  -8.523809591420007e-08, 6.5290544383775285e-09, 5.059343496267205e-09,   -9.913641572027507e-10,
    -2.273651215899117e-10,  9.646791032375277e-11,  2.3940387721527206e-12, -6.886028207907173e-12,  8.944886006042492e-13,
    3.1309147515912935e-13,  -1.12707567758952e-13,  3.8044398630670633e-16, 7.106734447862107e-15,   -1.5236549471454872e-15,
    -9.395866611718412e-17,  1.2041827664313868e-16, -2.757239061041163e-17};

/// erfc of a number that is not negative.
static Number complementOfPositive(Number z) {
  Number two = z.like(2.0), t = two / (two + z), u = two * t - z.like(1.0), twiceU = two * u;
  Number last = z.like(0.0), beforeLast = z.like(0.0);
  for (size_t index = std::size(complementCoefficients) - 1; index > 0; --index) { // Clenshaw's recurrence
    Number next = twiceU * last - beforeLast + z.like(complementCoefficients[index]);
    beforeLast = last;
    last = next;
  }
  Number exponent = u * last - beforeLast + z.like(complementCoefficients[0]) - z * z;
  return select(z < z.like(40.0), t * exp(exponent), z.like(0.0)); // there a NaN is 0: see its callers
}

Number precise::erfc(Number x) {
  Number complement = complementOfPositive(absolute(x));
  Number result = select(x < x.like(0.0), x.like(2.0) - complement, complement);
  return select(x == x, result, x);
}

Number precise::erf(Number x) {
  Number s = x * x;
  double coefficients[14], factorial = 1;
  for (int n = 0; n < 14; factorial *= ++n)
    coefficients[n] = (n % 2 ? -1 : 1) * 2 * std::numbers::inv_sqrtpi / (factorial * (2 * n + 1));
  Number nearZero = x * polynomial(s, coefficients);
  Number far = withSign(x.like(1.0) - complementOfPositive(absolute(x)), x);
  Number result = select(absolute(x) < x.like(0.5), nearZero, far);
  return select(x == x, result, x);
}
