// Inputs on which a step function is tried: a ragged batch, ids, rows, and caches that hold a past.
#ifndef MOEC_PASSES_EVALUATOR_STEPINPUTS_H
#define MOEC_PASSES_EVALUATOR_STEPINPUTS_H

#include "passes/evaluator/Evaluator.h"

namespace moec::evaluator {

enum class StepKind {
  Ragged, ///< sequences with and without a past, several new tokens and one
  Decode  ///< one new token a sequence
};

struct StepInputs {
  std::vector<Argument> arguments;
  Caches caches;
};

/// A batch of `kind`, made up from `seed`; of the one sequence `ids` when there are any.
Batch makeUpBatch(StepKind kind, uint64_t seed, llvm::ArrayRef<int32_t> ids = {});

/// A value for every argument of `function` and rows for the past of every cache of its module, made up from `seed`. Token ids are
/// those of `ids`, when there are any.
mlir::FailureOr<StepInputs> makeUpInputs(mlir::func::FuncOp function, StepKind kind, uint64_t seed,
                                         llvm::ArrayRef<int32_t> ids = {});

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_STEPINPUTS_H
