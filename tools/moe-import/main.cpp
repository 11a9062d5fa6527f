// moe-import: a checkpoint in, `moe` IR out.
#include "tools/AtomicFile.h"
#include "tools/Import.h"
#include "tools/ProgramOptions.h"

#include "mlir/IR/MLIRContext.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

namespace cl = llvm::cl;

static cl::OptionCategory category("moe-import options");
static cl::opt<std::string> model(cl::Positional, cl::Required, cl::desc("MODEL"), cl::cat(category));
static cl::opt<std::string> output("o", cl::desc("Where to write the IR; - is standard output"), cl::value_desc("FILE.mlir"),
                                   cl::init("-"), cl::cat(category));
static cl::opt<bool> locations("locations", cl::desc("Print the locations of ops: which part of the model each belongs to"),
                               cl::cat(category));
static cl::opt<bool> noRaise("no-raise", cl::desc("Leave a graph in the ops that its nodes mean"), cl::cat(category));
static moec::tools::ProgramOptions programOptions("moe-import", category);

static int fail(llvm::Error error) {
  llvm::errs() << "moe-import: error: " << llvm::toString(std::move(error)) << "\n";
  return 2;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  if (!cl::ParseCommandLineOptions(argc, argv,
                                   "Imports a model as IR of the moe dialect. MODEL is a folder with config.json and safetensors "
                                   "files, of which only the headers are read, or an .onnx file.\n",
                                   &llvm::errs()))
    return 2;

  mlir::MLIRContext context;
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> module = moec::tools::importModel(model, context, !noRaise);
  if (!module)
    return fail(module.takeError());
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(locations);
  if (llvm::Error error = moec::tools::writeAtomically(output, [&](llvm::raw_ostream &out) { (*module)->print(out, flags); }))
    return fail(std::move(error));
  return 0;
}
