// Which #moe.activation gives the outputs that a graph's experts were seen to have.
#ifndef MOEC_PASSES_RAISE_ACTIVATIONMATCH_H
#define MOEC_PASSES_RAISE_ACTIVATIONMATCH_H

#include "dialects/moe/MoE.h"
#include "passes/evaluator/Evaluator.h"
#include "passes/evaluator/Routing.h"
#include "passes/evaluator/Tensor.h"

namespace moec::passes {

/// Weights of experts as moe.experts takes them; biases have no elements when there are none.
struct ExpertTensors {
  evaluator::Tensor gate, up, down, gateBias, upBias, downBias;
};

/// What experts made of an input.
struct Observation {
  evaluator::Tensor input;                ///< [tokens, width]
  std::vector<evaluator::Choice> choices; ///< of every token
  bool isWeightOnInput;
  evaluator::Tensor output; ///< [tokens, width of the output]
};

struct ActivationMatch {
  moe::ActivationAttr activation;
  double scale; ///< of all weights
  double error; ///< the largest, relative to the largest output
};

/// The one that comes closest to outputs for `large` inputs, of those that agree within `tolerance` with outputs for `small` ones,
/// at which limits do not show. `numbers` are those of the graph, which factors and limits are taken from; `isGated` is false for
/// experts that have no up. What trying takes is taken of `budget`; when there is nothing left, what is not tried does not agree.
ActivationMatch matchActivation(const ExpertTensors &weights, const Observation &small, const Observation &large,
                                llvm::ArrayRef<double> numbers, bool isGated, double tolerance, evaluator::Budget &budget,
                                mlir::MLIRContext *context);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_ACTIVATIONMATCH_H
