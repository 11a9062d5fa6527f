// Which #moe.routing gives the shares that a graph's experts were seen to have: tries what the attribute can say.
#include "passes/raise/RoutingMatch.h"
#include "passes/evaluator/Routing.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <map>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

namespace {

/// One way to choose experts and to weight them.
struct Hypothesis {
  moe::RoutingAttr routing;
  std::optional<size_t> bias;
};

class Matcher {
public:
  Matcher(const Shares &shares, ArrayRef<Tensor> biases, ArrayRef<double> numbers, bool areInOrder, evaluator::Budget &budget,
          MLIRContext *context)
      : shares(shares), biases(biases), areInOrder(areInOrder), budget(budget), context(context), experts(shares.logits.width()),
        branches(shares.parts.width()) {
    for (double number : numbers) {
      if (number > 0 && number < 1e-4)
        epsilons.push_back(number);
      if (number > 0 && number < 1)
        jitters.push_back(number / 2);
    }
    epsilons.push_back(0);
    for (int64_t branch = 0; branch < branches; ++branch) {
      double most = 0;
      for (int64_t token = 0; token < shares.parts.rows(); ++token)
        most = std::max(most, std::abs(shares.parts.row(token)[branch]));
      largest.push_back(most);
    }
    for (int64_t token = 0; token < shares.parts.rows(); ++token)
      chosen = std::max(chosen, llvm::count_if(llvm::seq(branches), [&](int64_t branch) { return isIn(token, branch); }));
  }

  std::vector<RoutingMatch> run();

private:
  bool isIn(int64_t token, int64_t branch) const {
    return std::abs(shares.parts.row(token)[branch]) > shares.tolerance * largest[branch];
  }
  void tryScores(int64_t groups, int64_t kept, moe::GroupScore groupScore, moe::MaskFill fill);
  void trySparseMixers();
  void tryOne(const Hypothesis &hypothesis);
  std::optional<std::vector<int64_t>> expertsOf(ArrayRef<evaluator::Choice> choices) const;
  /// Whether the parts of every branch are its expert's weights, times a number.
  bool areProportional(ArrayRef<evaluator::Choice> choices, ArrayRef<int64_t> expertOf) const;

  const Shares &shares;
  ArrayRef<Tensor> biases;
  bool areInOrder;
  evaluator::Budget &budget;
  MLIRContext *context;
  int64_t experts, branches, chosen = 0;
  std::vector<double> epsilons, jitters;
  std::vector<double> largest;              ///< by branch
  std::vector<RoutingMatch> matches;        ///< that agree in the shares
  std::vector<RoutingMatch> matchesOnInput; ///< that agree in who is chosen
};

/// Which expert each branch is: the one that is chosen by the tokens that the branch has a part in.
std::optional<std::vector<int64_t>> Matcher::expertsOf(ArrayRef<evaluator::Choice> choices) const {
  std::vector<std::vector<bool>> ofExpert(experts, std::vector<bool>(choices.size())), ofBranch(branches, ofExpert.front());
  for (auto [token, choice] : llvm::enumerate(choices)) {
    for (int64_t id : choice.ids)
      ofExpert[id][token] = true;
    for (int64_t branch = 0; branch < branches; ++branch)
      ofBranch[branch][token] = isIn(int64_t(token), branch);
  }
  std::vector<int64_t> expertOf;
  if (areInOrder) {
    for (int64_t branch = 0; branch < branches; ++branch) {
      if (ofBranch[branch] != ofExpert[branch])
        return std::nullopt;
      expertOf.push_back(branch);
    }
    return expertOf;
  }
  std::map<std::vector<bool>, int64_t> byTokens;
  for (int64_t expert = 0; expert < experts; ++expert)
    if (!byTokens.try_emplace(ofExpert[expert], expert).second)
      return std::nullopt;
  for (const std::vector<bool> &tokens : ofBranch) {
    auto found = byTokens.find(tokens);
    if (found == byTokens.end())
      return std::nullopt;
    expertOf.push_back(found->second);
    byTokens.erase(found);
  }
  // Exporters write experts one after the other. Another order means that numbers were changed on the way from the router.
  return llvm::is_sorted(expertOf) || std::is_sorted(expertOf.rbegin(), expertOf.rend()) ? std::optional(expertOf) : std::nullopt;
}

bool Matcher::areProportional(ArrayRef<evaluator::Choice> choices, ArrayRef<int64_t> expertOf) const {
  std::vector<int64_t> branchOf(experts);
  for (auto [branch, expert] : llvm::enumerate(expertOf))
    branchOf[expert] = int64_t(branch);
  // The number is taken where the weight is largest, where it is least sensitive to rounding.
  std::vector<double> largestWeight(branches), number(branches);
  for (auto [token, choice] : llvm::enumerate(choices))
    for (auto [id, weight] : llvm::zip(choice.ids, choice.weights))
      if (int64_t branch = branchOf[id]; std::abs(weight) > largestWeight[branch]) {
        largestWeight[branch] = std::abs(weight);
        number[branch] = shares.parts.row(int64_t(token))[branch] / weight;
      }
  for (auto [token, choice] : llvm::enumerate(choices))
    for (auto [id, weight] : llvm::zip(choice.ids, choice.weights)) {
      int64_t branch = branchOf[id];
      if (!(std::abs(shares.parts.row(int64_t(token))[branch] - weight * number[branch]) <= shares.tolerance * largest[branch]))
        return false;
    }
  return true;
}

void Matcher::tryOne(const Hypothesis &hypothesis) {
  std::vector<evaluator::Choice> choices;
  std::span<const double> bias;
  if (hypothesis.bias)
    bias = biases[*hypothesis.bias].elements;
  for (int64_t token = 0; token < shares.logits.rows(); ++token) {
    if (!budget.spend(uint64_t(experts) * uint64_t(chosen)))
      return;
    evaluator::Choice choice = evaluator::route(shares.logits.row(token), bias, hypothesis.routing);
    // Most hypotheses fail at once.
    if (areInOrder && !llvm::all_of(choice.ids, [&](int64_t id) { return isIn(token, id); }))
      return;
    choices.push_back(std::move(choice));
  }
  std::optional<std::vector<int64_t>> expertOf = expertsOf(choices);
  if (!expertOf)
    return;
  bool agrees = areProportional(choices, *expertOf);
  if (agrees)
    matches.push_back({hypothesis.routing, hypothesis.bias, *expertOf, false});
  else if (hypothesis.routing.getGroups() == 1)
    matchesOnInput.push_back({hypothesis.routing, hypothesis.bias, *expertOf, true});
}

void Matcher::tryScores(int64_t groups, int64_t kept, moe::GroupScore groupScore, moe::MaskFill fill) {
  const double none[] = {0.0};
  SmallVector<std::optional<size_t>> selections = {std::nullopt};
  if (!biases.empty()) {
    selections.clear();
    for (size_t bias = 0; bias < biases.size(); ++bias)
      selections.push_back(bias);
  }
  for (std::optional<size_t> bias : selections)
    for (moe::Score score : {moe::Score::Softmax, moe::Score::Sigmoid, moe::Score::SqrtSoftplus, moe::Score::SoftmaxTopK})
      for (bool renormalize : {false, true})
        for (double epsilon : renormalize ? ArrayRef<double>(epsilons) : ArrayRef(none)) {
          if (renormalize && score == moe::Score::SoftmaxTopK)
            continue;
          tryOne({moe::RoutingAttr::get(context, chosen, score, groups, kept, groupScore, fill, renormalize, moe::F64(epsilon),
                                        moe::F64(1.0)),
                  bias});
        }
}

void Matcher::trySparseMixers() {
  for (double jitter : jitters)
    tryOne({moe::RoutingAttr::get(context, chosen, moe::Score::SparseMixer, 1, 1, moe::GroupScore::Max,
                                  moe::MaskFill::NegativeInfinity, false, moe::F64(0.0), moe::F64(1.0), moe::F64(jitter)),
            std::nullopt});
}

std::vector<RoutingMatch> Matcher::run() {
  if (branches != experts || chosen < 1 || llvm::is_contained(largest, 0.0))
    return {};
  tryScores(1, 1, moe::GroupScore::Max, moe::MaskFill::NegativeInfinity);
  trySparseMixers();
  for (int64_t groups = 2; groups <= experts / 2 && matches.empty(); ++groups) {
    if (experts % groups)
      continue;
    for (int64_t kept = 1; kept < groups && matches.empty(); ++kept)
      if (kept * (experts / groups) >= chosen)
        for (moe::GroupScore score : {moe::GroupScore::Max, moe::GroupScore::Top2Sum})
          for (moe::MaskFill fill : {moe::MaskFill::NegativeInfinity, moe::MaskFill::Zero})
            tryScores(groups, kept, score, fill);
  }
  llvm::append_range(matches, matchesOnInput);
  return std::move(matches);
}

} // namespace

std::vector<RoutingMatch> passes::matchRouting(const Shares &shares, ArrayRef<Tensor> biases, ArrayRef<double> numbers,
                                               bool areInOrder, evaluator::Budget &budget, MLIRContext *context) {
  return Matcher(shares, biases, numbers, areInOrder, budget, context).run();
}

double passes::meantScale(double seen, double tolerance) { return std::abs(seen - 1) <= tolerance ? 1.0 : double(float(seen)); }

moe::RoutingAttr passes::withScale(moe::RoutingAttr routing, double scale) {
  return moe::RoutingAttr::get(routing.getContext(), routing.getK(), routing.getScore(), routing.getGroups(),
                               routing.getKeptGroups(), routing.getGroupScore(), routing.getMaskFill(), routing.getRenormalize(),
                               routing.getEpsilon(), moe::F64(scale), routing.getJitterEpsilon());
}
