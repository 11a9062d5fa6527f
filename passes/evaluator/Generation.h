// Evaluating a language model on the ids of one sequence, in one step or several.
#ifndef MOEC_PASSES_EVALUATOR_GENERATION_H
#define MOEC_PASSES_EVALUATOR_GENERATION_H

#include "passes/evaluator/Evaluator.h"

#include <map>

namespace moec::evaluator {

/// The results of a step function by the names in `moe.output` ("logits", "routing.3", ...); results without a name are "result.N".
using Outputs = std::map<std::string, Tensor>;

/// That name of a result.
std::string outputName(mlir::func::FuncOp function, unsigned result);

/// The function of `module` that runs a step of the given phase: the one marked so by `moe.phase`, else the only public function.
/// Failure after an error when there is none.
mlir::FailureOr<mlir::func::FuncOp> stepFunction(mlir::ModuleOp module, llvm::StringRef phase);

/// The results for every given id, in order: `prefill` ids go through the prefill function at once (all when 0 or more than there
/// are), the rest one at a time through the decode function. With `name` that function takes both parts.
mlir::FailureOr<Outputs> evaluateIds(mlir::ModuleOp module, llvm::ArrayRef<int32_t> ids, size_t prefill, Weights &weights,
                                     llvm::StringRef name = "");

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_GENERATION_H
