// What one step is given, and what launches count in it.
#include "runtime/devices/StepInput.h"

using namespace moec::runtime;
using moec::artifact::BufferKind;

StepNumbers StepInput::numbers() const {
  return {int64_t(tokenIds.size()), int64_t(outputTokens.size()), int64_t(starts.size()) - 1, maxPages};
}

std::span<const int32_t> StepInput::of(BufferKind kind) const {
  switch (kind) {
  case BufferKind::token_ids:
    return tokenIds;
  case BufferKind::positions:
    return positions;
  case BufferKind::token_sequence:
    return tokenSequence;
  case BufferKind::starts:
    return starts;
  case BufferKind::pages:
    return pages;
  case BufferKind::output_tokens:
    return outputTokens;
  case BufferKind::sampling:
    return sampling;
  default:
    return {};
  }
}
