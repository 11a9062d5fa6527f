// Sizes that no model reaches, and arithmetic that stays below them.
#ifndef MOEC_RUNTIME_ARTIFACT_BOUNDS_H
#define MOEC_RUNTIME_ARTIFACT_BOUNDS_H

#include "runtime/schema/Artifact_generated.h"

#include <initializer_list>
#include <optional>

namespace moec::runtime {

/// Far beyond any model, and small enough that sums and products of a few of them do not overflow 64 bits unnoticed.
inline constexpr uint64_t maxBytes = uint64_t(1) << 48;

/// The product, or nothing when it leaves the range of sizes.
inline std::optional<uint64_t> product(std::initializer_list<uint64_t> factors) {
  uint64_t result = 1;
  for (uint64_t factor : factors)
    if (__builtin_mul_overflow(result, factor, &result) || result > maxBytes)
      return std::nullopt;
  return result;
}

/// What `extent` counts in the largest step of a program.
inline uint64_t mostUnits(artifact::Extent extent, const artifact::Program &program) {
  switch (extent) {
  case artifact::Extent::constant:
    return 1;
  case artifact::Extent::tokens:
    return program.max_tokens();
  case artifact::Extent::outputs:
    return program.max_outputs();
  case artifact::Extent::sequences:
    return program.max_sequences();
  }
  return 0;
}

/// The value of `dimension` in the largest step of a program, or nothing when it leaves the range of sizes.
inline std::optional<uint64_t> largest(const artifact::LaunchDimension &dimension, const artifact::Program &program) {
  uint64_t units = mostUnits(dimension.extent(), program), divisor = dimension.divisor();
  std::optional<uint64_t> grown = product({units / divisor + (units % divisor != 0), dimension.factor()});
  if (!grown || dimension.addend() > maxBytes - *grown)
    return std::nullopt;
  return *grown + dimension.addend();
}

} // namespace moec::runtime

#endif // MOEC_RUNTIME_ARTIFACT_BOUNDS_H
