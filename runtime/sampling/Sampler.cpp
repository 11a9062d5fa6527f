// Chooses the next token from logits.
#include "runtime/sampling/Sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

using namespace moec::runtime;

int32_t moec::runtime::largestLogit(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i)
    if (logits[i] > logits[best] || (std::isnan(logits[best]) && !std::isnan(logits[i])))
      best = i;
  return int32_t(best);
}

SamplingWords moec::runtime::samplingWords(const SamplingOptions &options, uint64_t n) {
  if (!(options.temperature > 0))
    return {SamplingWords::largest, 0, 0, 0, 0};
  uint64_t state = options.seed + n * 0x9e3779b97f4a7c15u;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebu;
  state ^= state >> 31;
  float scale = float(std::min<double>(std::numbers::log2e / options.temperature, std::numeric_limits<float>::max()));
  int32_t most = int32_t(std::clamp<int64_t>(options.topK, 0, std::numeric_limits<int32_t>::max()));
  // A share of nothing is that of the likeliest; the words say 0 for all.
  double share = options.topP < 1 ? std::clamp(std::floor(options.topP * 0x1p32), 1.0, 0x1p32 - 1) : 0;
  return {SamplingWords::draw, scale, most, uint32_t(share), uint32_t(state >> 32)};
}

/// What a logit weighs beside the largest, 2^40: 2^((logit - largest) x scale) in fixed point.
static int64_t weightOf(float logit, float largest, float scale) {
  constexpr float terms[] = {0x1.430912p-13f, 0x1.5d87fep-10f, 0x1.3b2ab6p-7f, 0x1.c6b08ep-5f, 0x1.ebfbep-3f, 0x1.62e43p-1f, 1};
  float difference = logit - largest, power = difference * scale;
  if (!(power > -64))
    return 0;
  float whole = std::nearbyint(power), rest = power - whole, result = 0;
  for (float term : terms)
    result = std::fma(result, rest, term);
  return int64_t(std::ldexp(result, int(whole) + 40));
}

/// `part` / 2^32 of `whole`, rounded down.
static int64_t partOf(int64_t whole, uint32_t part) {
  uint64_t high = uint64_t(whole) >> 32, low = uint64_t(whole) & 0xffffffffu;
  return int64_t(high * part + (low * part >> 32));
}

int32_t Sampler::choose(std::span<const float> logits, const SamplingWords &words) {
  if (words.choice == SamplingWords::nothing)
    return -1;
  int32_t likeliest = largestLogit(logits);
  float largest = logits[size_t(likeliest)];
  if (words.choice != SamplingWords::draw || !std::isfinite(largest))
    return likeliest;

  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    if (int64_t weight = weightOf(logits[i], largest, words.scale))
      candidates.push_back({logits[i], int32_t(i), weight});
  auto total = [&] {
    int64_t sum = 0;
    for (const Candidate &candidate : candidates)
      sum += candidate.weight;
    return sum;
  };
  size_t kept = words.mostKept > 0 ? std::min(size_t(words.mostKept), candidates.size()) : candidates.size();
  if (kept < candidates.size() || words.share) {
    auto likelier = [](const Candidate &a, const Candidate &b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; };
    if (kept == candidates.size()) // of which a partial sort would make a heap sort
      std::ranges::sort(candidates, likelier);
    else
      std::ranges::partial_sort(candidates, candidates.begin() + std::ptrdiff_t(kept), likelier);
    candidates.resize(kept);
    if (words.share) {
      int64_t bound = std::max<int64_t>(partOf(total(), words.share), 1), sum = 0;
      auto reaches = [&](const Candidate &candidate) { return (sum += candidate.weight) >= bound; };
      candidates.erase(std::ranges::find_if(candidates, reaches) + 1, candidates.end());
    }
    std::ranges::sort(candidates, {}, &Candidate::id);
  }
  int64_t bound = partOf(total(), words.random), sum = 0;
  return std::ranges::find_if(candidates, [&](const Candidate &candidate) { return (sum += candidate.weight) > bound; })->id;
}
