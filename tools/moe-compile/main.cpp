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

using namespace llvm;
using namespace moec;
using namespace moec::compile;

namespace {
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
    context->disableMultithreading(); // threads would write into each other's remarks, and in another order each time
    mlir::remark::RemarkCategories every{std::nullopt, ".*", ".*", ".*", ".*"};
    if (failed(mlir::remark::enableOptimizationRemarksWithLLVMStreamer(
            *context, options.remarks, remarks::Format::YAML, std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(), every))) {
      errs() << "moe-compile: error: " << options.remarks << ": cannot write remarks\n";
      return 2;
    }
  }
  if (Error error = run(*context, options)) {
    errs() << "moe-compile: error: " << toString(std::move(error)) << "\n";
    return 2;
  }
  return 0;
}
