// Whether two values of a function are the same, as far as trying it tells.
#ifndef MOEC_PASSES_RAISE_PROOF_H
#define MOEC_PASSES_RAISE_PROOF_H

#include "passes/raise/Draw.h"
#include "passes/raise/Excerpt.h"

#include <map>

namespace moec::passes {

/// A tensor of the type and of the sizes of `value`: floats of that deviation, truths, small numbers.
std::optional<evaluator::Tensor> drawFor(mlir::Value value, double deviation, Draw &draw, Sizes &sizes);

/// The choices of sizes on which values are tried: different ones, and equal ones for graphs that demand it.
llvm::ArrayRef<std::vector<int64_t>> trialSizes();

/// What was found of earlier values of a function, for layers that are the same are tried once, and what trying others may take.
struct Differences {
  evaluator::Budget &budget;
  std::map<std::string, std::optional<std::string>> found = {};
};

/// Evaluates both, given random `inputs` of several sizes and magnitudes; answers how they differ, or nothing. Where the old value
/// is no number, the new one may be anything.
std::optional<std::string> differenceOf(mlir::Value old, mlir::Value candidate, llvm::ArrayRef<mlir::Value> inputs,
                                        Differences &known);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_PROOF_H
