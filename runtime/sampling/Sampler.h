// How the next token is chosen from logits, and choosing it.
#ifndef MOEC_RUNTIME_SAMPLING_SAMPLER_H
#define MOEC_RUNTIME_SAMPLING_SAMPLER_H

#include "runtime/kernels/Kernel.h"

#include <cstdint>
#include <span>
#include <vector>

namespace moec::runtime {

struct SamplingOptions {
  double temperature = 0; ///< 0: greedy
  int64_t topK = 0;       ///< keep the k likeliest; 0: all
  double topP = 1;        ///< then keep the likeliest whose probabilities reach this much
  uint64_t seed = 0;
};

/// How the n-th token (from 1 on) is to be chosen, by whoever does. The same logits, options and n give the same token on every
/// machine: the random number is splitmix64 of seed and n, and what is done with it is arithmetic of integers.
SamplingWords samplingWords(const SamplingOptions &options, uint64_t n);

/// Of tokens one after the other, how each is to be chosen.
class Draws {
public:
  explicit Draws(const SamplingOptions &options) : options(options) {}
  SamplingWords next() { return samplingWords(options, ++count); }

private:
  SamplingOptions options;
  uint64_t count = 0;
};

/// Chooses as kernels do, where there are none.
class Sampler {
public:
  /// Reserves memory for a vocabulary of that size; choosing then allocates nothing.
  explicit Sampler(size_t vocabulary) { candidates.reserve(vocabulary); }

  /// Greedy takes the lowest id of the largest logit. A logit that is no number or minus infinity is never chosen where there is
  /// another; plus infinity is certain. -1 where none is to be chosen.
  int32_t choose(std::span<const float> logits, const SamplingWords &words);

private:
  struct Candidate {
    float logit;
    int32_t id;
    int64_t weight;
  };
  std::vector<Candidate> candidates;
};

/// The lowest id of the largest logit.
int32_t largestLogit(std::span<const float> logits);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_SAMPLING_SAMPLER_H
