// Chooses the next token from logits.
#ifndef MOEC_RUNTIME_SAMPLING_SAMPLER_H
#define MOEC_RUNTIME_SAMPLING_SAMPLER_H

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

/// The same logits, options and number of calls give the same token on every machine: the random number of the n-th call is
/// splitmix64 of seed and n, probabilities are summed in f64 in falling order (ties by id).
class Sampler {
public:
  /// Reserves memory for a vocabulary of that size; sampling allocates nothing.
  Sampler(size_t vocabulary, const SamplingOptions &options);

  /// The chosen id. Greedy takes the lowest id of the largest logit. A logit that is no number or minus infinity is never chosen
  /// where there is another; plus infinity is certain.
  int32_t sample(std::span<const float> logits);

private:
  double nextUniform();

  SamplingOptions options;
  uint64_t calls = 0;
  std::vector<std::pair<float, int32_t>> candidates;
  std::vector<double> weights;
};

/// The lowest id of the largest logit.
int32_t largestLogit(std::span<const float> logits);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_SAMPLING_SAMPLER_H
