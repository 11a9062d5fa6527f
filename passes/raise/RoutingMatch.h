// Which #moe.routing gives the shares that a graph's experts were seen to have.
#ifndef MOEC_PASSES_RAISE_ROUTINGMATCH_H
#define MOEC_PASSES_RAISE_ROUTINGMATCH_H

#include "dialects/moe/MoE.h"
#include "passes/evaluator/Evaluator.h"
#include "passes/evaluator/Tensor.h"

namespace moec::passes {

/// What was seen when every token had the same input, so that the part of a branch in a token's output is the branch's share times
/// a number that is the same for all tokens.
struct Shares {
  evaluator::Tensor logits; ///< [tokens, experts]
  evaluator::Tensor parts;  ///< [tokens, branches]
  double tolerance;         ///< relative to the largest part of a branch
};

struct RoutingMatch {
  moe::RoutingAttr routing;      ///< with a scale of 1
  std::optional<size_t> bias;    ///< which of the biases selects
  std::vector<int64_t> expertOf; ///< by branch
  bool isOnInput = false;        ///< the shares multiply the experts' input; then only who is chosen is known to agree
};

/// All that agree, the likeliest first. `biases` are [experts] each, `numbers` those of the graph: what is added to a sum of
/// weights is one of them, as is twice the jitter of a sparse mixer. Branches that are not in the order of experts are told apart
/// by who chose them. What trying takes is taken of `budget`.
std::vector<RoutingMatch> matchRouting(const Shares &shares, llvm::ArrayRef<evaluator::Tensor> biases,
                                       llvm::ArrayRef<double> numbers, bool areInOrder, evaluator::Budget &budget,
                                       mlir::MLIRContext *context);

/// The scale that was meant by one that was seen: 1, or a number of f32, far below whose rounding is that of an evaluation.
double meantScale(double seen, double tolerance);
/// `routing` with weights of that scale.
moe::RoutingAttr withScale(moe::RoutingAttr routing, double scale);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_ROUTINGMATCH_H
