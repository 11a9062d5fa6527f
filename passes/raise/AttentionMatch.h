// What lies between a product of queries and keys and one with values, as attention.
#ifndef MOEC_PASSES_RAISE_ATTENTIONMATCH_H
#define MOEC_PASSES_RAISE_ATTENTIONMATCH_H

#include "passes/evaluator/Evaluator.h"
#include "passes/raise/Flow.h"
#include "passes/raise/Structure.h"

#include <string>

namespace moec::passes {

/// Products that lead to `weighted` through an exponential, and through no other product.
llvm::SmallVector<Contraction> scoresBehind(const Contraction &weighted, const Flow &flow);

/// One pair of products. observe() and build() in this order; the latter adds ops where its builder stands, also when it fails.
class AttentionMatch {
public:
  /// Evaluates what takes of `budget`.
  AttentionMatch(const Contraction &scores, const Contraction &weighted, const Flow &flow, evaluator::Budget &budget);

  /// Finds scale, cap, masks and sinks; answers why that is not possible.
  std::optional<std::string> observe();
  /// In place of the second product's result; null, and problem(), where operands do not have the shapes of attention.
  mlir::Value build(mlir::OpBuilder &builder);
  std::string problem() const { return why; }
  /// What both results are made of.
  llvm::ArrayRef<mlir::Value> inputs() const { return given; }
  std::string description() const;

private:
  mlir::Value refuse(const llvm::Twine &reason) {
    why = reason.str();
    return {};
  }
  std::optional<std::string> findMaskedScores();
  std::optional<std::string> probe();
  mlir::Value buildBias(mlir::OpBuilder &builder) const;
  mlir::Value buildSinks(mlir::OpBuilder &builder, int64_t heads);

  Contraction scores, weighted;
  const Flow &flow;
  evaluator::Budget &budget;
  llvm::SmallVector<mlir::Operation *> path; ///< from scores to the second product, in order
  llvm::SmallVector<mlir::Value> others;     ///< data that they read besides
  mlir::Value masked, sinks;                 ///< the scores of which a softmax is taken; what is concatenated to them
  double scale = 1;
  std::optional<double> softCap;
  bool hasBias = false;
  llvm::SmallVector<mlir::Value> given;
  std::string why;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_ATTENTIONMATCH_H
