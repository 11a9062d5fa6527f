// The pass checker: evaluates every function before and after each pass and reports the first op that differs.
#ifndef MOEC_PASSES_EVALUATOR_PASSCHECKER_H
#define MOEC_PASSES_EVALUATOR_PASSCHECKER_H

#include "passes/evaluator/Weights.h"
#include "llvm/ADT/StringSet.h"

#include <memory>

namespace mlir {
class PassInstrumentation;
}

namespace moec::evaluator {

struct CheckOptions {
  WeightOptions weights;
  /// For the batch, the ids, the past and other arguments.
  uint64_t seed = 0;
  /// Token ids to try instead of random ones.
  std::vector<int32_t> ids;
  /// The largest normalised mean squared error that counts as the same value.
  double tolerance = 1e-10;
  /// Passes that may change values, such as one that chooses number formats; the next pass is compared with their result.
  llvm::StringSet<> skip;
};

/// An instrumentation that compares each public function, results and caches, before and after each pass that changed anything, and
/// emits an error on the first op that differs. A function that a pass has marked with `moe.phase` is compared with the function it
/// was made of, on inputs of its phase. After the first error nothing more is checked and `failed` is set. Needs a pass manager
/// that runs one function at a time.
std::unique_ptr<mlir::PassInstrumentation> createPassChecker(CheckOptions options, bool &failed);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_PASSCHECKER_H
