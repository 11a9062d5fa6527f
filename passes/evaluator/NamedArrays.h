// Evaluating a function on arrays for its named inputs.
#ifndef MOEC_PASSES_EVALUATOR_NAMEDARRAYS_H
#define MOEC_PASSES_EVALUATOR_NAMEDARRAYS_H

#include "passes/evaluator/Generation.h"

namespace moec::evaluator {

/// The results of function `name`, by default the only public one, on the .npy files that `files` gives by the names in
/// `moe.input`. Failure after an error for a name that is not there, an input without file, or an array that does not fit.
mlir::FailureOr<Outputs> evaluateFiles(mlir::ModuleOp module, const std::map<std::string, std::string> &files, Weights &weights,
                                       llvm::StringRef name = "");

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_NAMEDARRAYS_H
