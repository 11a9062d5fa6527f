// Whether what lies between router logits, an input and an output is a mixture of experts, and which.
#ifndef MOEC_PASSES_RAISE_EXPERTTRIAL_H
#define MOEC_PASSES_RAISE_EXPERTTRIAL_H

#include "passes/raise/ActivationMatch.h"
#include "passes/raise/Excerpt.h"
#include "passes/raise/ExpertStacks.h"
#include "passes/raise/RoutingMatch.h"

#include <map>

namespace moec::passes {

/// A mixture of experts in moe ops.
struct RaisedExperts {
  mlir::Value output;                       ///< of the old output's type
  llvm::SmallVector<mlir::Operation *> ops; ///< that make it, in order, behind the op that makes the old output
  llvm::SmallVector<mlir::Operation *> old; ///< the ops between logits, input and output
  moe::RoutingAttr routing;
  int64_t experts;
};

/// What evaluating a part of a graph has shown.
struct ExpertFinding {
  struct Mixture {
    RoutingMatch routing;
    ExpertForm form;
    ActivationMatch activation;
  };
  std::optional<Mixture> mixture; ///< proven
  std::string problem;            ///< why there is none
  unsigned progress = 0;
};
/// Of a function: what looking may still cost; and by the part's key, for layers are mostly alike.
struct ExpertFindings {
  evaluator::Budget budget;
  std::map<std::string, ExpertFinding> byKey = {};
};

/// One candidate. Nothing is changed unless run() answers something.
class ExpertTrial {
public:
  ExpertTrial(mlir::Value logits, mlir::Value input, mlir::Value output, ExpertFindings &findings)
      : logits(logits), input(input), output(output), findings(findings) {}

  std::optional<RaisedExperts> run();
  /// Why run() answered nothing, and how far it came: a trial that came further has more to say.
  const std::string &problem() const { return why; }
  unsigned progress() const { return stage; }

private:
  bool refuse(const llvm::Twine &reason) {
    why = reason.str();
    return false;
  }
  bool analyse();
  bool isShareOfOutput() const;
  bool chooseSizes();
  using Tensors = std::vector<evaluator::Tensor>;
  /// Every constant at random.
  Tensors drawConstants(uint64_t seed) const;
  /// The old output, as rows.
  std::optional<evaluator::Tensor> evaluate(const evaluator::Tensor &inputRows, const evaluator::Tensor &logitRows,
                                            const Tensors &constantTensors);
  std::optional<Shares> observeShares(bool isSecondTransposed);
  std::optional<Observation> observe(const RoutingMatch &match, double deviation, const Tensors &constantTensors);
  std::optional<ExpertTensors> assemble(const ExpertForm &form, llvm::ArrayRef<int64_t> branchOf, const Tensors &constantTensors);
  std::optional<ExpertFinding::Mixture> find();
  /// The routings that may be.
  std::vector<RoutingMatch> matchesOf(bool isSecondTransposed);
  std::optional<ExpertFinding::Mixture> tryForm(const RoutingMatch &match, const ExpertForm &form);
  mlir::Value build(mlir::OpBuilder &builder, const ExpertFinding::Mixture &mixture);
  /// Whether it gives what the old output is, at inputs that choose every expert.
  bool isProven(mlir::Value candidate, const RoutingMatch &match);
  mlir::Value constantAt(mlir::OpBuilder &builder, mlir::Value constant);

  mlir::Value logits, input, output;
  ExpertFindings &findings;
  std::string why;
  unsigned stage = 0;

  Between between;
  ExpertProducts products;
  ExpertBranches experts;
  /// What is drawn at random besides input and logits: weights and biases of products, then biases of the selection.
  llvm::SmallVector<mlir::Value> constants;
  size_t routerBiases = 0;        ///< how many of the constants are these
  double routerBiasDeviation = 0; ///< of those that are drawn
  std::optional<Excerpt> old;
  llvm::SmallVector<int64_t> inputShape, logitShape;
  double tolerance = 0;
  /// Copies of constants from within regions, at the function's level.
  llvm::DenseMap<mlir::Value, mlir::Value> copies;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_EXPERTTRIAL_H
