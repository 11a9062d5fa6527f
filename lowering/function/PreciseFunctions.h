// Functions of f64, by arithmetic alone and without branches: to a few units in the last place, where nothing else is said.
#ifndef MOEC_LOWERING_FUNCTION_PRECISEFUNCTIONS_H
#define MOEC_LOWERING_FUNCTION_PRECISEFUNCTIONS_H

#include "lowering/kernel/Number.h"
#include "mlir/IR/BuiltinTypes.h"

namespace moec::lowering::precise {

// Exponentials and logarithms.
Number exp(Number x);
Number expm1(Number x);
Number log(Number x);
Number log1p(Number x);
/// To 10^-13 where the result is far from 1.
Number pow(Number base, Number exponent);
Number cbrt(Number x);

// Hyperbolic functions and their inverses.
Number sinh(Number x);
Number cosh(Number x);
Number tanh(Number x);
Number asinh(Number x);
Number acosh(Number x);
Number atanh(Number x);

// Circular functions, of arguments below 2^50, and their inverses.
Number sin(Number x);
Number cos(Number x);
Number tan(Number x);
Number asin(Number x);
Number acos(Number x);
Number atan(Number x);
Number atan2(Number y, Number x);

// The error function; its complement to 10^-12.
Number erf(Number x);
Number erfc(Number x);

// Rounding: halves away from zero; the remainder of a division, with the sign of `x`.
Number round(Number x);
Number remainder(Number x, Number y);

/// Sums x^i coefficients[i].
Number polynomial(Number x, llvm::ArrayRef<double> coefficients);
Number absolute(Number x);
/// `magnitude` with the sign of `sign`.
Number withSign(Number magnitude, Number sign);
Number truncate(Number x);
Number squareRoot(Number x);

} // namespace moec::lowering::precise

#endif // MOEC_LOWERING_FUNCTION_PRECISEFUNCTIONS_H
