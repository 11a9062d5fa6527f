// What trying the parts of a function may take.
#ifndef MOEC_PASSES_RAISE_TRIALS_H
#define MOEC_PASSES_RAISE_TRIALS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/AnalysisManager.h"
#include "passes/evaluator/Evaluator.h"

#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <optional>

namespace moec::passes {

/// Of one function.
class Trials {
public:
  explicit Trials(mlir::func::FuncOp function) : Trials(stepsFor(function)) {}
  explicit Trials(uint64_t steps) : budget(steps), steps(steps) {}

  /// In steps of the evaluator, of which a processor takes some tens of millions a second.
  evaluator::Budget budget;

  /// Has a remark of the pass say that nothing is left, if this pass is the first to find that.
  void sayIfEnded(mlir::func::FuncOp function, llvm::StringRef pass);

private:
  static uint64_t stepsFor(mlir::func::FuncOp function);

  uint64_t steps;
  bool isSaid = false;
};

/// Of every function of a module: an analysis that lasts, so that all passes take what they try of one budget a function.
class SharedTrials {
public:
  explicit SharedTrials(mlir::Operation *module) { share(module, std::nullopt); }
  bool isInvalidated(const mlir::AnalysisManager::PreservedAnalyses &) const { return false; }

  /// Begins anew, with so many steps a function.
  void share(mlir::Operation *module, std::optional<uint64_t> steps);
  /// Null for a function that is new.
  Trials *of(mlir::func::FuncOp function) {
    auto found = all.find(function);
    return found == all.end() ? nullptr : &found->second;
  }

private:
  llvm::DenseMap<mlir::Operation *, Trials> all;
};

/// Those of `function` that passes share, or, where no pass before shares any, `own`.
inline Trials &trialsOf(mlir::func::FuncOp function, std::optional<std::reference_wrapper<SharedTrials>> shared,
                        std::optional<Trials> &own) {
  Trials *found = shared ? shared->get().of(function) : nullptr;
  return found ? *found : own.emplace(function);
}

/// A pass over functions that takes what it tries of those trials.
template <typename Base> class TryingPass : public Base {
protected:
  Trials &trials() {
    mlir::func::FuncOp function = this->getOperation();
    return trialsOf(function, this->template getCachedParentAnalysis<SharedTrials>(function->getParentOp()), own);
  }

private:
  std::optional<Trials> own;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_TRIALS_H
