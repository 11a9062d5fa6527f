// Evaluating a model at the end of a pass pipeline, and writing down what comes out.
#ifndef MOEC_PASSES_EVALUATOR_REPORT_H
#define MOEC_PASSES_EVALUATOR_REPORT_H

#include "passes/evaluator/Weights.h"

#include <map>
#include <memory>

namespace mlir {
class Pass;
}

namespace moec::evaluator {

struct ReportOptions {
  WeightOptions weights;
  std::vector<int32_t> ids; ///< of a language model
  size_t prefill = 0;
  /// Of any other function: .npy files by the names of its inputs, and where outputs go, f64.
  std::map<std::string, std::string> inputFiles, outputFiles;
  std::string function;
  std::string logitsFile;  ///< .npy, f64 [ids, vocabulary]; not written when empty
  std::string routingFile; ///< .npy, i32 [ids, moe layers, k]; not written when empty
};

/// A pass that evaluates the module on `ids` as `evaluateIds` says, or on the arrays of `inputFiles`, prints one line per output
/// row to `os`, and writes the files.
std::unique_ptr<mlir::Pass> createReport(ReportOptions options, llvm::raw_ostream &os);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_REPORT_H
