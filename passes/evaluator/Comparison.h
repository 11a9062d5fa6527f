// Two evaluations of what should be the same function, compared.
#ifndef MOEC_PASSES_EVALUATOR_COMPARISON_H
#define MOEC_PASSES_EVALUATOR_COMPARISON_H

#include "passes/evaluator/Evaluator.h"

#include <optional>

namespace moec::evaluator {

/// What an evaluation left: results, caches, and the value of each op.
struct Outcome {
  std::vector<Tensor> results;
  Caches caches;
  Trace trace;
};

/// A result or cache that is not what it was, by how much, and the op where the difference shows first, if it can be told.
struct Difference {
  std::string what;
  double error;
  const TraceEntry *first = nullptr;
  double firstError = 0;
};

/// The first difference above `tolerance` in results or caches, or none.
///
/// It is traced to the first op in `changed` whose value has a namesake in `original` (an op of the same location and result type)
/// and is neither its namesake's value nor any other value there: a pass may leave an op's location to one that computes more.
std::optional<Difference> compare(const Outcome &changed, const Outcome &original, double tolerance);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_COMPARISON_H
