// Random tensors to try ops on.
#ifndef MOEC_PASSES_RAISE_DRAW_H
#define MOEC_PASSES_RAISE_DRAW_H

#include "passes/evaluator/Random.h"
#include "passes/evaluator/Tensor.h"

#include "llvm/ADT/ArrayRef.h"

namespace moec::passes {

/// A stream of tensors that a seed determines.
class Draw {
public:
  explicit Draw(uint64_t seed) : random("raise", seed) {}

  /// With mean 0.
  evaluator::Tensor tensor(llvm::ArrayRef<int64_t> shape, double deviation) {
    evaluator::Tensor result(std::vector<int64_t>(shape.begin(), shape.end()));
    for (double &element : result.elements)
      element = deviation * random.centered(next++);
    return result;
  }

private:
  evaluator::Random random;
  uint64_t next = 0;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_DRAW_H
