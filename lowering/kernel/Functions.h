// Functions of numbers: through the math dialect, whose polynomials the code generator puts in place.
#ifndef MOEC_LOWERING_KERNEL_FUNCTIONS_H
#define MOEC_LOWERING_KERNEL_FUNCTIONS_H

#include "dialects/moe/MoE.h"
#include "lowering/kernel/Number.h"

namespace moec::lowering {

Number exponential(Number x);
Number hyperbolicTangent(Number x);
Number squareRoot(Number x);
/// 1 / (1 + exp(-x)).
Number sigmoid(Number x);
/// ln(1 + exp(x)).
Number softplus(Number x);

/// The first position that a query at `position`, an integer, sees.
Number firstVisible(moe::AttentionOp op, Number position);

/// gate and up combined as `activation` says.
Number activate(moe::ActivationAttr activation, Number gate, Number up);

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_FUNCTIONS_H
