// What a step works on besides weights: the ragged batch and the caches.
#ifndef MOEC_PASSES_EVALUATOR_STEP_H
#define MOEC_PASSES_EVALUATOR_STEP_H

#include "passes/evaluator/Tensor.h"

#include <map>
#include <string>

namespace moec::evaluator {

/// Part of a batch: `length` new tokens of a sequence that holds `past` positions already.
struct Sequence {
  int64_t past = 0;
  int64_t length = 0;
};

/// The value of a `!moe.batch`.
class Batch {
public:
  /// `outputs` are the rows that moe.gather_outputs keeps, in ascending order.
  Batch(std::vector<Sequence> sequences, std::vector<int64_t> outputs);
  /// One sequence; the result of every new token is wanted.
  static Batch single(int64_t past, int64_t length);

  int64_t tokens() const { return int64_t(tokenSequence.size()); }
  const std::vector<Sequence> &sequences() const { return parts; }
  const std::vector<int64_t> &outputs() const { return outputTokens; }
  int64_t sequenceOf(int64_t token) const { return tokenSequence[token]; }
  int64_t positionOf(int64_t token) const { return tokenPosition[token]; }

private:
  std::vector<Sequence> parts;
  std::vector<int64_t> outputTokens, tokenSequence, tokenPosition;
};

/// The rows of every cache, by symbol and sequence; they live on from step to step.
class Caches {
public:
  using Rows = std::vector<std::vector<double>>; // one row per position

  Rows &rows(const std::string &symbol, int64_t sequence) {
    auto &sequences = bySymbol[symbol];
    if (int64_t(sequences.size()) <= sequence)
      sequences.resize(sequence + 1);
    return sequences[sequence];
  }
  const std::map<std::string, std::vector<Rows>> &all() const { return bySymbol; }

private:
  std::map<std::string, std::vector<Rows>> bySymbol;
};

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_STEP_H
