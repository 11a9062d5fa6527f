// moe-compile: a model in, an artifact (or the IR of a phase) out.
#include "lowering/nvptx/CodeGenerator.h"
#include "tools/AtomicFile.h"
#include "tools/Registration.h"
#include "tools/moe-compile/Estimate.h"
#include "tools/moe-compile/Packing.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Remark/RemarkStreamer.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

#include <map>
#include <mutex>

using namespace llvm;
using namespace moec;
using namespace moec::compile;

namespace {
/// Writes remarks in the end, those of a function together and in the order in which they came: functions are worked on by several
/// threads, but what writes the file is not made for that.
class RemarksByFunction : public mlir::remark::detail::RemarkEmittingPolicyBase {
public:
  void reportRemark(const mlir::remark::detail::Remark &remark) override {
    std::lock_guard lock(mutex);
    remarks[remark.getFunction().str()].push_back(remark);
  }
  void finalize() override {
    for (const auto &[function, ofFunction] : remarks)
      for (const auto &remark : ofFunction)
        reportImpl(remark);
    remarks.clear();
  }

private:
  std::mutex mutex;
  std::map<std::string, std::vector<mlir::remark::detail::Remark>> remarks;
};

Error run(mlir::MLIRContext &context, const Options &options) {
  Compilation compilation(context, options);
  if (Error error = compilation.load())
    return error;
  if (options.dryRun) {
    if (Error error = compilation.advance(Phase::Plan))
      return error;
    Estimate answer = estimate(compilation.module(), options.memory);
    return tools::writeAtomically("-", [&](raw_ostream &out) { out << (options.json ? answer.json() : answer.page()); });
  }
  if (Error error = compilation.advance(options.to))
    return error;
  if (options.to == Phase::Artifact)
    return writeArtifact(compilation, options);
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(options.locations);
  return tools::writeAtomically(options.output.empty() ? "-" : options.output,
                                [&](raw_ostream &out) { compilation.module()->print(out, flags); });
}
} // namespace

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  Options options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;

  mlir::DialectRegistry registry;
  registerDialects(registry);
  auto context = std::make_unique<mlir::MLIRContext>(registry);
  lowering::nvptx::loadDialects(*context);
  context->printOpOnDiagnostic(false); // an op may be the whole model
  SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler diagnostics(sources, context.get());
  if (!options.remarks.empty()) {
    mlir::remark::RemarkCategories every{std::nullopt, ".*", ".*", ".*", ".*"};
    if (failed(mlir::remark::enableOptimizationRemarksWithLLVMStreamer(*context, options.remarks, remarks::Format::YAML,
                                                                       std::make_unique<RemarksByFunction>(), every))) {
      errs() << "moe-compile: error: " << options.remarks << ": cannot write remarks\n";
      return 2;
    }
  }
  Error error = run(*context, options);
  context->setRemarkEngine(nullptr); // writes the remarks, while all that they speak of is there
  if (error) {
    errs() << "moe-compile: error: " << toString(std::move(error)) << "\n";
    return 2;
  }
  return 0;
}
