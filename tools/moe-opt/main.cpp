// moe-opt: runs passes on a module as mlir-opt does, explains what they save, checks that they keep what it means, evaluates it.
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Explain.h"
#include "tools/ProgramOptions.h"
#include "tools/Registration.h"
#include "tools/moe-opt/Evaluation.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

static llvm::cl::opt<bool> explain("moe-explain",
                                   llvm::cl::desc("print a table of the FLOP, bytes and launches that each pass saves, to stderr"));
static moec::tools::ProgramOptions programOptions("moe-opt");

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  moec::registerDialects(registry);
  moec::registerPasses();
  auto [inputName, outputName] = mlir::registerAndParseCLIOptions(argc, argv, "moec optimizer\n", registry);

  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> input = mlir::openInputFile(inputName, &error);
  std::unique_ptr<llvm::ToolOutputFile> output = input ? mlir::openOutputFile(outputName, &error) : nullptr;
  if (!output) {
    llvm::errs() << error << "\n";
    return 2;
  }

  moec::Evaluation evaluation;
  auto config = mlir::MlirOptMainConfig::createFromCLOptions(), given = config;
  config.setPassPipelineSetupFn([&](mlir::PassManager &passes) {
    if (explain)
      passes.addInstrumentation(moec::passes::createExplanation(llvm::errs()));
    if (mlir::failed(evaluation.instrument(passes)) || mlir::failed(given.setupPassPipeline(passes)))
      return mlir::failure();
    return evaluation.finish(passes, output->os());
  });
  llvm::raw_ostream &module = evaluation.replacesOutput() ? llvm::nulls() : output->os();
  bool failed = mlir::failed(mlir::MlirOptMain(module, std::move(input), registry, config));
  if (failed || evaluation.foundDifference())
    return failed && evaluation.replacesOutput() ? 2 : 1;
  output->keep();
  return 0;
}
