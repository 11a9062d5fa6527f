// What one step is given, and what launches count in it.
#ifndef MOEC_RUNTIME_DEVICES_STEPINPUT_H
#define MOEC_RUNTIME_DEVICES_STEPINPUT_H

#include "runtime/kernels/Kernel.h"
#include "runtime/schema/Artifact_generated.h"

#include <cstdint>
#include <span>

namespace moec::runtime {

/// One step's input, checked by the caller: ids within the vocabulary, positions within pages, tokens of a sequence together
/// and in order, everything within the program's limits.
struct StepInput {
  std::span<const int32_t> tokenIds;      ///< [tokens]
  std::span<const int32_t> positions;     ///< [tokens]
  std::span<const int32_t> tokenSequence; ///< [tokens]
  std::span<const int32_t> starts;        ///< [sequences + 1]
  std::span<const int32_t> pages;         ///< [sequences, maxPages]
  std::span<const int32_t> outputTokens;  ///< [outputs], ascending
  int64_t maxPages = 0;
  std::span<const int32_t> sampling = {}; ///< [outputs], SamplingWords each; for programs that choose tokens
  int64_t unread = -1;                    ///< an output of the program that need not be there afterwards

  StepNumbers numbers() const;
  /// What a buffer of that kind holds; nothing when the kind is no input.
  std::span<const int32_t> of(artifact::BufferKind kind) const;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_DEVICES_STEPINPUT_H
