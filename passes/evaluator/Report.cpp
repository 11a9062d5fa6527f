// Evaluating a model at the end of a pass pipeline, and writing down what comes out.
#include "passes/evaluator/Report.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "passes/evaluator/NamedArrays.h"
#include "passes/evaluator/Npy.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec::evaluator;

/// The outputs "routing.L" as one tensor [tokens, layers, k], layers in ascending order.
static FailureOr<Tensor> stackRouting(ModuleOp module, const Outputs &outputs) {
  std::map<int64_t, const Tensor *> layers;
  for (auto &[name, value] : outputs) {
    StringRef layer = name;
    int64_t index;
    if (layer.consume_front("routing.") && llvm::to_integer(layer, index, 10))
      layers[index] = &value;
  }
  if (layers.empty())
    return module.emitError() << "expected outputs named 'routing.LAYER', got none";
  int64_t tokens = layers.begin()->second->rows(), k = layers.begin()->second->width();
  Tensor all({tokens, int64_t(layers.size()), k});
  auto to = all.elements.begin();
  for (int64_t token = 0; token < tokens; ++token)
    for (auto &[index, value] : layers) {
      if (value->rows() != tokens || value->width() != k)
        return module.emitError() << "expected as many experts per token in every layer, layer " << index << " differs";
      to = llvm::copy(value->row(token), to);
    }
  return all;
}

namespace {
struct Report : PassWrapper<Report, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Report)

  Report(ReportOptions options, raw_ostream &os) : options(std::move(options)), os(os) {}

  StringRef getName() const override { return "evaluate"; }

  void runOnOperation() override {
    Weights weights(options.weights);
    auto outputs = options.inputFiles.empty() ? evaluateIds(getOperation(), options.ids, options.prefill, weights, options.function)
                                              : evaluateFiles(getOperation(), options.inputFiles, weights, options.function);
    if (failed(outputs) || failed(write(*outputs)))
      return signalPassFailure();
    for (auto &[name, value] : *outputs)
      for (int64_t i = 0; i < value.rows(); ++i)
        print(name, i, value.row(i));
  }

private:
  /// Short rows in full, long ones by their largest element.
  void print(StringRef name, int64_t i, std::span<const double> row) {
    os << name << "[" << i << "]:";
    if (row.size() <= 16) {
      for (double value : row)
        os << llvm::formatv(" {0}", llvm::format("%.9g", value));
    } else {
      auto largest = std::max_element(row.begin(), row.end());
      os << llvm::formatv(" largest {0} at {1} of {2}", llvm::format("%.9g", *largest), largest - row.begin(), row.size());
    }
    os << "\n";
  }

  LogicalResult write(const Outputs &outputs) {
    auto writeOne = [&](StringRef path, const Tensor &tensor, NpyType type) -> LogicalResult {
      if (llvm::Error error = writeNpy(path, tensor, type))
        return getOperation().emitError() << "cannot write " << path << ": " << llvm::toString(std::move(error));
      return success();
    };
    if (!options.logitsFile.empty()) {
      auto logits = outputs.find("logits");
      if (logits == outputs.end())
        return getOperation().emitError() << "expected an output named 'logits', got none";
      if (failed(writeOne(options.logitsFile, logits->second, NpyType::F64)))
        return failure();
    }
    for (auto &[name, path] : options.outputFiles) {
      auto output = outputs.find(name);
      if (output == outputs.end())
        return getOperation().emitError() << "expected an output named '" << name << "', got none";
      if (failed(writeOne(path, output->second, NpyType::F64)))
        return failure();
    }
    if (options.routingFile.empty())
      return success();
    auto routing = stackRouting(getOperation(), outputs);
    return failed(routing) ? failure() : writeOne(options.routingFile, *routing, NpyType::I32);
  }

  ReportOptions options;
  raw_ostream &os;
};
} // namespace

std::unique_ptr<Pass> moec::evaluator::createReport(ReportOptions options, raw_ostream &os) {
  return std::make_unique<Report>(std::move(options), os);
}
