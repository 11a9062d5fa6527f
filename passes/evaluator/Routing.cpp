// How one token's router logits become expert ids and weights.
#include "passes/evaluator/Routing.h"
#include "dialects/moe/Routing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

using namespace moec::evaluator;
using namespace moec::moe;

static void softmax(std::vector<double> &values) {
  double largest = *std::max_element(values.begin(), values.end()), sum = 0;
  for (double &value : values)
    sum += value = std::exp(value - largest);
  for (double &value : values)
    value /= sum;
}

static std::vector<double> scores(std::span<const double> logits, Score score) {
  std::vector<double> result(logits.begin(), logits.end());
  switch (score) {
  case Score::Softmax:
    softmax(result);
    break;
  case Score::SoftmaxTopK:
  case Score::SparseMixer:
    break;
  case Score::Sigmoid:
    for (double &value : result)
      value = 1 / (1 + std::exp(-value));
    break;
  case Score::SqrtSoftplus:
    for (double &value : result) // log1p(exp(x)) without overflow
      value = std::sqrt(std::max(value, 0.0) + std::log1p(std::exp(-std::fabs(value))));
    break;
  }
  return result;
}

/// The indices of the `count` largest keys, largest first; of equal keys the lowest index comes first.
static std::vector<int64_t> largest(const std::vector<double> &keys, int64_t count) {
  std::vector<int64_t> order;
  std::vector<bool> taken(keys.size());
  while (int64_t(order.size()) < count) {
    int64_t best = -1;
    for (int64_t i = 0; i < int64_t(keys.size()); ++i)
      if (!taken[i] && (best < 0 || keys[i] > keys[best]))
        best = i;
    taken[best] = true;
    order.push_back(best);
  }
  return order;
}

/// Fills the keys of all but the best groups.
static void keepBestGroups(std::vector<double> &keys, RoutingAttr routing) {
  int64_t groups = routing.getGroups(), size = int64_t(keys.size()) / groups;
  std::vector<double> groupScores(groups);
  for (int64_t g = 0; g < groups; ++g) {
    std::vector<double> members(keys.begin() + g * size, keys.begin() + (g + 1) * size);
    std::sort(members.begin(), members.end(), std::greater<>());
    groupScores[g] = routing.getGroupScore() == GroupScore::Top2Sum && size > 1 ? members[0] + members[1] : members[0];
  }
  double fill = routing.getMaskFill() == MaskFill::Zero ? 0 : -std::numeric_limits<double>::infinity();
  std::vector<int64_t> kept = largest(groupScores, routing.getKeptGroups());
  for (int64_t g = 0; g < groups; ++g)
    if (std::find(kept.begin(), kept.end(), g) == kept.end())
      std::fill_n(keys.begin() + g * size, size, fill);
}

/// Softmax for each of the chosen, over those of the experts not chosen before it that are near.
static std::vector<double> weighApart(const std::vector<int64_t> &ids, std::vector<double> scores, double jitterEpsilon) {
  std::vector<double> weights;
  for (int64_t id : ids) {
    double chosen = scores[id], sum = 0;
    for (double score : scores)
      if (!((chosen - score) / std::max(std::fabs(score), chosen) > 2 * jitterEpsilon))
        sum += std::exp(score - chosen);
    weights.push_back(1 / sum);
    scores[id] = -std::numeric_limits<double>::infinity(); // adds nothing from now on
  }
  return weights;
}

static Choice weigh(std::vector<int64_t> ids, const std::vector<double> &scores, RoutingAttr routing) {
  std::vector<double> weights;
  if (routing.getScore() == Score::SparseMixer)
    weights = weighApart(ids, scores, routing.getJitterEpsilon());
  else
    for (int64_t id : ids)
      weights.push_back(scores[id]);
  if (routing.getScore() == Score::SoftmaxTopK)
    softmax(weights);
  double divisor = 1;
  if (routing.getRenormalize())
    divisor = std::accumulate(weights.begin(), weights.end(), 0.0) + routing.getEpsilon();
  for (double &weight : weights)
    weight = weight / divisor * routing.getScale();
  return {std::move(ids), std::move(weights)};
}

Choice moec::evaluator::route(std::span<const double> logits, std::span<const double> bias, RoutingAttr routing) {
  std::vector<double> s = scores(logits, routing.getScore()), keys = s;
  if (choosesByLogits(routing, !bias.empty()))
    keys.assign(logits.begin(), logits.end());
  for (size_t i = 0; i < bias.size(); ++i)
    keys[i] += bias[i];
  if (routing.getGroups() > 1)
    keepBestGroups(keys, routing);
  return weigh(largest(keys, routing.getK()), s, routing);
}

Choice moec::evaluator::routeByTable(std::span<const double> logits, std::span<const double> chosen, RoutingAttr routing) {
  return weigh({chosen.begin(), chosen.end()}, scores(logits, routing.getScore()), routing);
}
