// The command line of the reference evaluator and the pass checker.
#ifndef MOEC_TOOLS_MOE_OPT_EVALUATION_H
#define MOEC_TOOLS_MOE_OPT_EVALUATION_H

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

namespace moec {

/// What the options ask for, applied to a pass manager.
class Evaluation {
public:
  /// Before the passes are added: checks them, if asked for.
  mlir::LogicalResult instrument(mlir::PassManager &passes);
  /// After the passes are added: evaluates what they made, if asked for.
  mlir::LogicalResult finish(mlir::PassManager &passes, llvm::raw_ostream &os);

  /// Whether results take the place of the module in the output.
  static bool replacesOutput();
  bool foundDifference() const { return differs; }

private:
  bool differs = false;
};

} // namespace moec

#endif // MOEC_TOOLS_MOE_OPT_EVALUATION_H
