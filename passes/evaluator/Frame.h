// What the function that evaluates an op sees: the values so far, the caches, and where to put results.
#ifndef MOEC_PASSES_EVALUATOR_FRAME_H
#define MOEC_PASSES_EVALUATOR_FRAME_H

#include "passes/evaluator/Evaluator.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <functional>

namespace moec::evaluator {

class Frame {
public:
  Frame(Weights &weights, Caches &caches, Trace *trace, Budget *budget)
      : cacheState(caches), weights(weights), trace(trace), budget(budget) {}

  /// The value of a tensor. A weight's is there only while an op that uses it is evaluated.
  const Tensor &operator[](mlir::Value value) const { return *tensors.find(value)->second; }
  bool knows(mlir::Value value) const { return tensors.contains(value); }
  /// A number of the type index.
  int64_t index(mlir::Value value) const { return int64_t((*this)[value].elements.front()); }
  const Batch &batch(mlir::Value value) const { return *batches.find(value)->second; }
  /// The value of an optional operand, or null.
  const Tensor *optional(mlir::Value value) const { return value ? &(*this)[value] : nullptr; }
  Caches &caches() { return cacheState; }

  /// Rows as many as `like` has, as wide as `value`'s type says.
  Tensor rowsFor(mlir::Value value, mlir::Value like) const {
    return Tensor({(*this)[like].rows(), moe::widthOf(value.getType())});
  }

  /// The tensor itself; null for a weight.
  std::shared_ptr<const Tensor> shared(mlir::Value value) const { return tensors.lookup(value); }
  void share(mlir::Value value, std::shared_ptr<const Tensor> tensor) {
    forget(value);
    alive += tensor->elements.size();
    tensors[value] = std::move(tensor);
  }
  void set(mlir::Value value, Tensor tensor) { share(value, std::make_shared<const Tensor>(std::move(tensor))); }

  /// Makes `value` mean what `other` means: region arguments and results of groups. A weight stays a reference.
  void alias(mlir::Value value, mlir::Value other);
  void bind(mlir::Value value, const Argument &argument);
  /// Makes a weight when an op uses it; fails after an error on `user`.
  using MakeWeight = std::function<mlir::FailureOr<std::shared_ptr<const Tensor>>(mlir::Operation *user)>;
  /// Says that `value` is a weight, to be made when an op uses it.
  void refer(mlir::Value value, MakeWeight make) { references[value] = std::move(make); }
  void refer(mlir::Value value, moe::WeightOp weight);
  /// How to make the weight `value`, whether it is there or referred to.
  MakeWeight makerOf(mlir::Value value) const;

  /// Takes steps off the budget; fails after an error on `op` when it has not so many.
  mlir::LogicalResult spend(mlir::Operation *op, uint64_t steps) const {
    return !budget || budget->spend(steps) ? mlir::success()
                                           : mlir::LogicalResult(op->emitError() << "takes more steps than there are to be");
  }

  /// Likewise, for a tensor of so many elements that is about to be made: there may not be too many at once.
  mlir::LogicalResult allocate(mlir::Operation *op, uint64_t elements) const {
    if (budget && alive + elements > Budget::mostElements)
      return op->emitError() << "takes more elements at once than there are to be";
    return spend(op, elements);
  }

  /// Evaluates the ops of a block but for its terminator.
  mlir::LogicalResult run(mlir::Block &block);
  /// Likewise, and forgets on the way what none of its later ops reads.
  mlir::LogicalResult runOnce(mlir::Block &block);

private:
  mlir::LogicalResult runOp(mlir::Operation &op);
  void forget(mlir::Value value) {
    if (auto found = tensors.find(value); found != tensors.end()) {
      alive -= found->second->elements.size();
      tensors.erase(found);
    }
  }

  Caches &cacheState;
  Weights &weights;
  Trace *trace;
  Budget *budget;
  llvm::DenseMap<mlir::Value, std::shared_ptr<const Tensor>> tensors;
  uint64_t alive = 0; ///< their elements; those that are shared count more than once
  llvm::DenseMap<mlir::Value, const Batch *> batches;
  llvm::DenseMap<mlir::Value, MakeWeight> references;
};

/// The function of every op that can be evaluated, by the op's name.
class OpTable {
public:
  using Function = std::function<mlir::LogicalResult(mlir::Operation *, Frame &)>;

  template <typename OpT> void add(mlir::LogicalResult (*function)(OpT, Frame &)) {
    functions[OpT::getOperationName()] = [function](mlir::Operation *op, Frame &frame) {
      return function(mlir::cast<OpT>(op), frame);
    };
  }
  /// Null for an op that nothing evaluates.
  const Function *find(mlir::Operation *op) const {
    auto found = functions.find(op->getName().getStringRef());
    return found == functions.end() ? nullptr : &found->second;
  }

private:
  llvm::StringMap<Function> functions;
};

void populateModelOps(OpTable &table);
void populateSampling(OpTable &table);
void populateNumberFormat(OpTable &table);
void populateDenseOps(OpTable &table);
void populateExpertOps(OpTable &table);
void populateAttentionOps(OpTable &table);
void populateStreamOps(OpTable &table);
void populateTensorOps(OpTable &table);
void populateControlFlow(OpTable &table);

/// Evaluates any op of linalg that has loops and a region.
mlir::LogicalResult evaluateLinalg(mlir::Operation *op, Frame &frame);
/// Evaluates an op of arith or math, on numbers or element by element; fails after an error on any other.
mlir::LogicalResult evaluateElementwise(mlir::Operation *op, Frame &frame);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_FRAME_H
