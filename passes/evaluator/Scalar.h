// What upstream ops compute from single numbers; on tensors they do so element by element.
#ifndef MOEC_PASSES_EVALUATOR_SCALAR_H
#define MOEC_PASSES_EVALUATOR_SCALAR_H

#include "mlir/IR/Operation.h"

#include <functional>

namespace moec::evaluator {

/// One result from one number for each operand. Integers are held as f64 with the sign of their type, i1 as 0 or 1; they wrap
/// around at their width. f32 is not rounded to: only narrower types are, where an op converts to them.
using ScalarFunction = std::function<double(const double *operands)>;

/// What `op` of the arith or math dialect computes; empty for every other op.
ScalarFunction scalarFunctionOf(mlir::Operation *op);

/// The value of an attribute that is a number of `type`.
double numberOf(mlir::Attribute number);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_SCALAR_H
