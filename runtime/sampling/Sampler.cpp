// Chooses the next token from logits.
#include "runtime/sampling/Sampler.h"

#include <algorithm>
#include <cmath>

using namespace moec::runtime;

Sampler::Sampler(size_t vocabulary, const SamplingOptions &options) : options(options) {
  if (options.temperature > 0) {
    candidates.reserve(vocabulary);
    weights.reserve(vocabulary);
  }
}

int32_t moec::runtime::largestLogit(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i)
    if (logits[i] > logits[best] || (std::isnan(logits[best]) && !std::isnan(logits[i])))
      best = i;
  return int32_t(best);
}

double Sampler::nextUniform() {
  uint64_t state = options.seed + ++calls * 0x9e3779b97f4a7c15u;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebu;
  state ^= state >> 31;
  return double(state >> 11) * 0x1p-53;
}

int32_t Sampler::sample(std::span<const float> logits) {
  if (!(options.temperature > 0))
    return largestLogit(logits);
  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > -INFINITY) // no number is not
      candidates.emplace_back(logits[i], int32_t(i));
  if (candidates.empty())
    return largestLogit(logits);
  auto likelier = [](const auto &a, const auto &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; };
  size_t kept = options.topK > 0 ? std::min(size_t(options.topK), candidates.size()) : candidates.size();
  if (kept == candidates.size()) // of which a partial sort would make a heap sort
    std::ranges::sort(candidates, likelier);
  else
    std::ranges::partial_sort(candidates, candidates.begin() + std::ptrdiff_t(kept), likelier);
  candidates.resize(kept);
  if (std::isinf(candidates.front().first)) // nothing finite has any probability beside it
    return candidates.front().second;

  weights.clear();
  double total = 0;
  for (auto [logit, id] : candidates)
    total += weights.emplace_back(std::exp((double(logit) - double(candidates.front().first)) / options.temperature));
  if (options.topP < 1) {
    double wanted = options.topP * total, sum = 0;
    size_t count = 0;
    while (count < weights.size() && (count == 0 || sum < wanted))
      sum += weights[count++];
    weights.resize(count);
    total = sum;
  }
  double point = nextUniform() * total;
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    if (point < weights[i])
      return candidates[i].second;
    point -= weights[i];
  }
  return candidates[weights.size() - 1].second;
}
