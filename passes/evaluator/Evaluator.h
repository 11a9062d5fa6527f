// The reference evaluator: what a function of moe ops means, in plain loops over f64.
#ifndef MOEC_PASSES_EVALUATOR_EVALUATOR_H
#define MOEC_PASSES_EVALUATOR_EVALUATOR_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/evaluator/Step.h"
#include "passes/evaluator/Weights.h"

#include <variant>

namespace moec::evaluator {

/// An argument of a function: a tensor (token ids, rows) or the batch.
using Argument = std::variant<Tensor, Batch>;

/// What one op computed, in order of execution. Weights are not recorded.
struct TraceEntry {
  mlir::Operation *op; ///< valid while the module is; compare by `location` and `type` afterwards
  mlir::Location location;
  mlir::Type type;
  std::shared_ptr<const Tensor> value;
};
using Trace = std::vector<TraceEntry>;

/// How much an evaluation may do: steps of loops, elements of results. None was set for what is evaluated once and for itself.
class Budget {
public:
  /// Of all tensors that an evaluation with a budget keeps at once: half a gigabyte.
  static constexpr uint64_t mostElements = uint64_t(1) << 26;

  /// Of `whole`, where that is given.
  explicit Budget(uint64_t steps, Budget *whole = nullptr) : left(steps), whole(whole) {}
  /// Whether there were so many left.
  bool spend(uint64_t steps) {
    bool suffices = steps <= left && (!whole || whole->spend(steps));
    left -= suffices ? steps : left;
    return suffices;
  }
  uint64_t rest() const { return whole ? std::min(left, whole->rest()) : left; }

private:
  uint64_t left;
  Budget *whole;
};

/// Evaluates `function` and returns its results, or failure after an error that names the op. Reads and writes the rows of
/// `caches`. Fails also when a `budget` is used up.
mlir::FailureOr<std::vector<Tensor>> evaluate(mlir::func::FuncOp function, llvm::ArrayRef<Argument> arguments, Weights &weights,
                                              Caches &caches, Trace *trace = nullptr, Budget *budget = nullptr);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_EVALUATOR_H
