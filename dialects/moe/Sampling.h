// The numbers in the arithmetic of moe.sample.
#ifndef MOEC_DIALECTS_MOE_SAMPLING_H
#define MOEC_DIALECTS_MOE_SAMPLING_H

#include <cstdint>

namespace moec::moe {

/// What a row of settings asks for.
enum class SamplingChoice : int32_t { nothing, largest, draw };

/// Where the words of a row are.
struct SamplingWord {
  static constexpr int64_t choice = 0, scale = 1, mostKept = 2, share = 3, random = 4;
};

/// ln(2)^i / i!, the terms of 2^f.
inline constexpr double powerTerms[] = {1,
                                        0.6931471805599453,
                                        0.2402265069591007,
                                        0.05550410866482158,
                                        0.009618129107628477,
                                        0.0013333558146428443,
                                        0.00015403530393381608};
/// Bits of the weight of the largest logit behind its leading one.
inline constexpr int64_t weightBits = 40;
/// Logits further below the largest than so many powers of two weigh nothing.
inline constexpr int64_t lowestPower = -64;

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_SAMPLING_H
