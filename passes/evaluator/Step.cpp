// What a step works on besides weights: the ragged batch and the caches.
#include "passes/evaluator/Step.h"

#include <numeric>

using namespace moec::evaluator;

Batch::Batch(std::vector<Sequence> sequences, std::vector<int64_t> outputs)
    : parts(std::move(sequences)), outputTokens(std::move(outputs)) {
  for (size_t s = 0; s < parts.size(); ++s)
    for (int64_t i = 0; i < parts[s].length; ++i) {
      tokenSequence.push_back(int64_t(s));
      tokenPosition.push_back(parts[s].past + i);
    }
}

Batch Batch::single(int64_t past, int64_t length) {
  std::vector<int64_t> outputs(length);
  std::iota(outputs.begin(), outputs.end(), 0);
  return Batch({{past, length}}, std::move(outputs));
}
