// Finds the routing that experts have, where it is computed by several ops.
#include "passes/Remarks.h"
#include "passes/evaluator/Routing.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Draw.h"
#include "passes/raise/Excerpt.h"
#include "passes/raise/ExpertProducts.h"
#include "passes/raise/Logits.h"
#include "passes/raise/Passes.h"
#include "passes/raise/RoutingMatch.h"
#include "passes/raise/Rows.h"
#include "passes/raise/Trials.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::moe;
using evaluator::Tensor;

namespace moec::passes {
#define GEN_PASS_DEF_RAISEROUTING
#include "passes/raise/Passes.h.inc"

namespace {

/// Ids and weights as a function of logits and of the biases of a selection.
class RoutingTrial {
public:
  RoutingTrial(ExpertsOp experts, Value logits, evaluator::Budget &budget)
      : experts(experts), logits(logits), count(rowWidth(logits)), budget(budget) {}

  /// The routing that gives the same, proven; its `scale` is that of the weights.
  std::optional<RoutingMatch> run();
  /// The bias that it selects with; null when it has none.
  Value biasOf(const RoutingMatch &match) const { return match.bias ? biases[*match.bias] : Value(); }

private:
  /// How biases are drawn.
  struct Biases {
    double deviation; ///< from 0
    bool areBelow0 = false;
  };
  bool prepare();
  /// The routing found with biases of deviation `biasDeviation`; two of the proof's three trials draw them with the other one.
  std::optional<RoutingMatch> find(double biasDeviation, double otherBiasDeviation);
  /// Weights by expert, [tokens, experts].
  std::optional<Shares> observe(uint64_t seed, double deviation, double shift, Biases how);
  std::vector<Tensor> drawBiases(uint64_t seed, Biases how) const;

  ExpertsOp experts;
  Value logits;
  int64_t count;
  evaluator::Budget &budget;
  SmallVector<Value> biases;
  SmallVector<double> numbers;
  std::optional<Excerpt> ids, weights;
};

bool RoutingTrial::prepare() {
  std::optional<Between> ofIds = opsBetween({logits}, experts.getIds()), ofWeights = opsBetween({logits}, experts.getWeights());
  if (!ofIds || !ofWeights)
    return false;
  SetVector<Operation *> ops(ofIds->ops.begin(), ofIds->ops.end());
  ops.insert_range(ofWeights->ops);
  SmallVector<Operation *> sorted = ops.takeVector();
  llvm::sort(sorted, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  ExpertProducts found = findExpertProducts(sorted, Value(), logits);
  SetVector<Value> unique;
  for (Value bias : found.routerBiases)
    if (squeezedShape(bias.getType()) == ArrayRef<int64_t>{count} && bias.getParentBlock() == experts->getBlock())
      unique.insert(bias);
  biases = unique.takeVector();
  numbers = std::move(found.numbers);
  SmallVector<Value> inputs = {logits};
  llvm::append_range(inputs, biases);
  ids = Excerpt::make(experts.getIds(), inputs, &budget);
  weights = Excerpt::make(experts.getWeights(), inputs, &budget);
  return ids && weights;
}

std::vector<Tensor> RoutingTrial::drawBiases(uint64_t seed, Biases how) const {
  Draw draw(seed);
  std::vector<Tensor> drawn;
  for (Value bias : biases) {
    drawn.push_back(draw.tensor(cast<RankedTensorType>(bias.getType()).getShape(), how.deviation));
    for (double &element : drawn.back().elements)
      element = how.areBelow0 ? -std::abs(element) : element;
  }
  return drawn;
}

std::optional<Shares> RoutingTrial::observe(uint64_t seed, double deviation, double shift, Biases how) {
  Sizes sizes({5, 7, 3, 2});
  std::optional<SmallVector<int64_t>> shape = sizes.shape(logits);
  constexpr int64_t mostElements = 1 << 18;
  if (!shape || countOf(*shape) > mostElements)
    return std::nullopt;
  std::vector<double> allLogits, allParts;
  Draw draw(seed);
  std::vector<int64_t> seen(size_t(count), 0);
  constexpr unsigned mostRounds = 64;
  for (unsigned round = 0; round < mostRounds && (round < 8 || *llvm::min_element(seen) < 3); ++round) {
    Tensor scores = draw.tensor(*shape, deviation);
    for (double &score : scores.elements)
      score += round % 2 ? shift : 0;
    std::vector<Tensor> arguments = {scores};
    llvm::append_range(arguments, drawBiases(seed, how));
    std::optional<Tensor> chosen = ids->evaluate(arguments, sizes), shares = weights->evaluate(arguments, sizes);
    if (!chosen || !shares || chosen->shape != shares->shape || chosen->rows() != scores.rows())
      return std::nullopt;
    Tensor parts({scores.rows(), count});
    for (int64_t token = 0; token < scores.rows(); ++token)
      for (auto [id, share] : llvm::zip(chosen->row(token), shares->row(token))) {
        if (id < 0 || id >= double(count) || !std::isfinite(share))
          return std::nullopt;
        parts.row(token)[size_t(id)] += share;
        ++seen[size_t(id)];
      }
    llvm::append_range(allLogits, scores.elements);
    llvm::append_range(allParts, parts.elements);
  }
  int64_t tokens = int64_t(allLogits.size()) / count;
  return Shares{Tensor({tokens, count}, std::move(allLogits)), Tensor({tokens, count}, std::move(allParts)), 1e-6};
}

/// The weights' number to that of `routing`, if it is one for all tokens.
std::optional<double> scaleOf(const Shares &shares, RoutingAttr routing, std::span<const double> bias) {
  double products = 0, squares = 0, largest = 0, error = 0;
  auto forEach = [&](auto visit) {
    for (int64_t token = 0; token < shares.logits.rows(); ++token) {
      std::vector<double> expected(size_t(shares.logits.width()), 0.0);
      evaluator::Choice choice = evaluator::route(shares.logits.row(token), bias, routing);
      for (auto [id, weight] : llvm::zip(choice.ids, choice.weights))
        expected[size_t(id)] = weight;
      for (auto [ours, theirs] : llvm::zip(expected, shares.parts.row(token)))
        visit(ours, theirs);
    }
  };
  forEach([&](double ours, double theirs) {
    products += ours * theirs;
    squares += ours * ours;
    largest = std::max(largest, std::abs(theirs));
  });
  double scale = squares > 0 ? products / squares : 0;
  forEach([&](double ours, double theirs) { error = std::max(error, std::abs(theirs - scale * ours)); });
  return error <= shares.tolerance * largest && largest > 0 ? std::optional(scale) : std::nullopt;
}

std::optional<RoutingMatch> RoutingTrial::run() {
  if (!prepare())
    return std::nullopt;
  constexpr double largeBias = 0.2;
  std::optional<RoutingMatch> match = find(largeBias, largeBias);
  // Large biases may outweigh the small scores of a softmax over many experts, so that the same few are always chosen.
  return match || biases.empty() ? match : find(largeBias / double(count), largeBias);
}

std::optional<RoutingMatch> RoutingTrial::find(double biasDeviation, double otherBiasDeviation) {
  std::optional<Shares> shares = observe(1, 1.5, -2.5, {biasDeviation});
  if (!shares)
    return std::nullopt;
  for (RoutingMatch &match :
       matchRouting(*shares, drawBiases(1, {biasDeviation}), numbers, /*areInOrder=*/true, budget, experts.getContext())) {
    std::optional<double> scale;
    bool isProven = !match.isOnInput;
    // Where biases are below 0 and scores low, an expert of a group that is not kept is the best if it counts as 0.
    for (auto [seed, deviation, shift, bias] :
         {std::tuple(2, 1.0, -38.0, Biases{otherBiasDeviation}), std::tuple(3, 4.0, -2.0, Biases{biasDeviation}),
          std::tuple(4, 0.3, -20.0, Biases{otherBiasDeviation, /*areBelow0=*/true})}) {
      std::optional<Shares> others = isProven ? observe(uint64_t(seed), deviation, shift, bias) : std::nullopt;
      std::vector<Tensor> drawn = drawBiases(uint64_t(seed), bias);
      std::optional<double> found =
          others ? scaleOf(*others, match.routing,
                           match.bias ? std::span<const double>(drawn[*match.bias].elements) : std::span<const double>())
                 : std::nullopt;
      isProven = isProven && found && (!scale || std::abs(*scale - *found) <= 1e-6 * std::abs(*found));
      scale = found;
    }
    if (!isProven)
      continue;
    match.routing = withScale(match.routing, meantScale(*scale, 1e-6));
    return match;
  }
  return std::nullopt;
}

struct RaiseRouting : TryingPass<impl::RaiseRoutingBase<RaiseRouting>> {
  void runOnOperation() override {
    if (getOperation().isExternal() || !getOperation().getBody().hasOneBlock())
      return;
    Trials &trials = this->trials();
    Flow flow(getOperation().getBody().front());
    bool isChanged = false;
    for (auto experts : llvm::make_early_inc_range(getOperation().getBody().front().getOps<ExpertsOp>()))
      isChanged |= raise(experts, flow, trials.budget);
    if (isChanged)
      eraseDead(getOperation());
    trials.sayIfEnded(getOperation(), getArgument());
  }

  bool raise(ExpertsOp experts, const Flow &flow, evaluator::Budget &budget) {
    auto route = experts.getIds().getDefiningOp<RouteOp>();
    bool isOne = route && route == experts.getWeights().getDefiningOp();
    for (Value logits : logitsOf(flow, experts.getIds())) {
      if (rowWidth(logits) != cast<RankedTensorType>(experts.getGate().getType()).getDimSize(0))
        continue;
      // One op that reads them already, but for their shape.
      if (isOne && isSameBut(route.getLogits(), logits))
        return false;
      RoutingTrial trial(experts, logits, budget);
      std::optional<RoutingMatch> match = trial.run();
      if (!match)
        continue;
      OpBuilder builder(experts);
      Location loc = experts.getIds().getLoc();
      Value bias = trial.biasOf(*match);
      if (bias)
        bias = reshapeStatic(builder, loc, bias, {rowWidth(logits)});
      auto found = RouteOp::create(builder, loc, experts.getIds().getType(), experts.getWeights().getType(),
                                   toRows(builder, loc, logits), bias, /*table=*/Value(), /*token_ids=*/Value(), match->routing);
      experts.getIdsMutable().assign(found.getIds());
      experts.getWeightsMutable().assign(found.getWeights());
      remark::passed(loc, remarkOf(getArgument(), experts)) << "found one routing in several operations";
      return true;
    }
    if (!isOne)
      remark::missed(experts.getLoc(), remarkOf(getArgument(), experts))
          << "who is chosen with which weight is nothing that #moe.routing says";
    return false;
  }

  /// Whether `value` is `other` in another shape.
  static bool isSameBut(Value value, Value other) {
    while (value != other) {
      Operation *op = value.getDefiningOp();
      if (!isa_and_nonnull<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
        return false;
      value = op->getOperand(0);
    }
    return true;
  }
};
} // namespace
} // namespace moec::passes
