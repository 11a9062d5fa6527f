// Which #moe.activation gives the outputs that a graph's experts were seen to have.
#include "passes/raise/ActivationMatch.h"
#include "passes/evaluator/GatedMLP.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Matrix;
using evaluator::Tensor;

static std::span<const double> biasOf(const Tensor &bias, int64_t expert) {
  return bias.elements.empty() ? std::span<const double>() : bias.row(expert);
}

/// What experts with that activation make of the input.
static Tensor outputOf(const ExpertTensors &weights, const Observation &seen, moe::ActivationAttr activation) {
  Tensor output(seen.output.shape);
  for (auto [token, choice] : llvm::enumerate(seen.choices))
    for (auto [expert, weight] : llvm::zip(choice.ids, choice.weights)) {
      std::span<const double> row = seen.input.row(int64_t(token));
      std::vector<double> input(row.begin(), row.end());
      for (double &value : input)
        value *= seen.isWeightOnInput ? weight : 1;
      std::vector<double> hidden =
          evaluator::gatedHidden(input, Matrix(weights.gate, expert), Matrix(weights.up, expert), activation, moe::Compute::F32,
                                 biasOf(weights.gateBias, expert), biasOf(weights.upBias, expert));
      evaluator::addDown(output.row(int64_t(token)), seen.isWeightOnInput ? 1 : weight, Matrix(weights.down, expert), hidden,
                         moe::Compute::F32, biasOf(weights.downBias, expert));
    }
  return output;
}

/// How many products that takes.
static uint64_t costOf(const ExpertTensors &weights, const Observation &seen) {
  uint64_t ofExpert = 0, experts = uint64_t(std::max<int64_t>(weights.gate.shape.front(), 1)), cost = 0;
  for (const Tensor *stack : {&weights.gate, &weights.up, &weights.down})
    ofExpert += uint64_t(stack->elements.size()) / experts;
  for (const evaluator::Choice &choice : seen.choices)
    cost += uint64_t(choice.ids.size()) * ofExpert;
  return cost;
}

static ActivationMatch judge(const ExpertTensors &weights, const Observation &seen, moe::ActivationAttr activation) {
  Tensor output = outputOf(weights, seen, activation);
  double products = 0, squares = 0, largest = 0, error = 0;
  for (auto [ours, theirs] : llvm::zip(output.elements, seen.output.elements)) {
    products += ours * theirs;
    squares += ours * ours;
    largest = std::max(largest, std::abs(theirs));
  }
  double scale = squares > 0 ? products / squares : 0;
  for (auto [ours, theirs] : llvm::zip(output.elements, seen.output.elements))
    error = std::max(error, std::isfinite(theirs - scale * ours) ? std::abs(theirs - scale * ours) : HUGE_VAL);
  if (!(largest > 0))
    return {activation, scale, std::numeric_limits<double>::infinity()};
  return {activation, scale, error / largest};
}

ActivationMatch passes::matchActivation(const ExpertTensors &weights, const Observation &small, const Observation &large,
                                        ArrayRef<double> numbers, bool isGated, double tolerance, evaluator::Budget &budget,
                                        MLIRContext *context) {
  using moe::ActivationKind;
  using Limit = std::optional<moe::F64>;
  auto make = [&](ActivationKind kind, double alpha, Limit gateMax, Limit upLimit, double offset) {
    return moe::ActivationAttr::get(context, kind, moe::F64(alpha), gateMax, upLimit, moe::F64(offset));
  };
  auto judge = [&](const Observation &seen, moe::ActivationAttr activation) {
    return budget.spend(costOf(weights, seen)) ? ::judge(weights, seen, activation)
                                               : ActivationMatch{activation, 1, std::numeric_limits<double>::infinity()};
  };
  SmallVector<double> factors = {1.0};
  SmallVector<Limit> limits = {std::nullopt};
  for (double number : numbers) {
    if (number > 0.1 && number < 10 && number != 1)
      factors.push_back(number);
    if (number > 0 && std::isfinite(number))
      limits.push_back(moe::F64(number));
  }
  // Without up, gate's weights stand in for it: bounded to 0 and offset by 1 they leave f(gate); as they are they multiply it.
  SmallVector<std::pair<Limit, double>> ups = {{std::nullopt, 0.0}, {std::nullopt, 1.0}};
  if (!isGated)
    ups = {{moe::F64(0.0), 1.0}, {std::nullopt, 0.0}};
  SmallVector<moe::ActivationAttr> unlimited;
  for (auto [upLimit, offset] : ups)
    for (ActivationKind kind :
         {ActivationKind::SiLU, ActivationKind::GELU, ActivationKind::GELUTanh, ActivationKind::ReLU, ActivationKind::Identity})
      for (double alpha : ArrayRef(factors).take_front(kind == ActivationKind::SiLU ? factors.size() : 1)) {
        moe::ActivationAttr activation = make(kind, alpha, std::nullopt, upLimit, offset);
        if (judge(small, activation).error <= tolerance)
          unlimited.push_back(activation);
      }

  ActivationMatch best{nullptr, 1, std::numeric_limits<double>::infinity()};
  for (moe::ActivationAttr activation : unlimited)
    for (Limit gateMax : limits)
      for (Limit upLimit : isGated ? limits : SmallVector<Limit>{activation.getUpLimit()}) {
        ActivationMatch match =
            judge(large, make(activation.getKind(), activation.getAlpha(), gateMax, upLimit, activation.getUpOffset()));
        // An exact match is not given up for one that rounding makes better.
        if (match.error < best.error * 0.5)
          best = match;
      }
  return best;
}
