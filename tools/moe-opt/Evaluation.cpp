// The command line of the reference evaluator and the pass checker.
#include "tools/moe-opt/Evaluation.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "passes/evaluator/Npy.h"
#include "passes/evaluator/PassChecker.h"
#include "passes/evaluator/Report.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;
using namespace moec;
using namespace moec::evaluator;
namespace cl = llvm::cl;

static cl::OptionCategory category("Reference evaluator and pass checker");

static cl::opt<bool> checkPasses("check-passes", cl::cat(category),
                                 cl::desc("evaluate every function before and after each pass, report the first op that differs, "
                                          "exit with 1"));
static cl::opt<double> checkTolerance("check-tolerance", cl::cat(category), cl::init(1e-10),
                                      cl::desc("largest normalised mean squared error that counts as equal (1e-10)"));
static cl::list<std::string> checkSkip("check-skip", cl::cat(category), cl::CommaSeparated, cl::value_desc("pass,..."),
                                       cl::desc("passes that may change values"));
static cl::opt<bool> evaluateModule("evaluate", cl::cat(category),
                                    cl::desc("evaluate the module that the passes leave and print the results instead of it"));
static cl::opt<std::string> evaluateIdsText("evaluate-ids", cl::cat(category), cl::value_desc("5,17,3|FILE.npy"),
                                            cl::desc("token ids to evaluate, or to check passes with"));
static cl::list<std::string> evaluateInputs("evaluate-input", cl::cat(category), cl::value_desc("NAME=@FILE.npy"),
                                            cl::desc("an input to evaluate a function that is no language model on"));
static cl::list<std::string> evaluateOutputs("evaluate-output", cl::cat(category), cl::value_desc("NAME=@OUT.npy"),
                                             cl::desc("write an output, f64"));
static cl::opt<std::string> evaluateFunction("evaluate-function", cl::cat(category), cl::value_desc("name"),
                                             cl::desc("the function to evaluate; by default that of the phase, or the only one"));
static cl::opt<unsigned> evaluatePrefill("evaluate-prefill", cl::cat(category), cl::value_desc("n"),
                                         cl::desc("ids that are evaluated in one step, the rest one at a time; all by default"));
static cl::opt<uint64_t> evaluateSeed("evaluate-seed", cl::cat(category), cl::desc("seed of random weights and inputs"));
static cl::opt<std::string> evaluateLogits("evaluate-logits", cl::cat(category), cl::value_desc("OUT.npy"),
                                           cl::desc("write logits, f64 [ids, vocabulary]"));
static cl::opt<std::string> evaluateRouting("evaluate-routing", cl::cat(category), cl::value_desc("OUT.npy"),
                                            cl::desc("write expert ids, i32 [ids, moe layers, k]"));
static cl::opt<WeightOptions::Source>
    weightSource("weights", cl::cat(category), cl::desc("where weights come from; by default random to check passes, else files"),
                 cl::values(clEnumValN(WeightOptions::Source::Files, "files", "the files below the module's moe.folder"),
                            clEnumValN(WeightOptions::Source::Random, "random", "made up from names and --evaluate-seed")));

static WeightOptions weightOptions(WeightOptions::Source byDefault) {
  WeightOptions options;
  options.source = weightSource.getNumOccurrences() ? weightSource : byDefault;
  options.seed = evaluateSeed;
  return options;
}

static FailureOr<std::vector<int32_t>> givenIds() {
  StringRef text = evaluateIdsText;
  if (text.ends_with(".npy")) {
    auto ids = readIds(text);
    if (ids)
      return *ids;
    llvm::errs() << llvm::toString(ids.takeError()) << "\n";
    return failure();
  }
  std::vector<int32_t> ids;
  for (StringRef part : llvm::split(text, ',')) {
    int32_t id;
    if (text.empty())
      break;
    if (!llvm::to_integer(part, id, 10) || id < 0) {
      llvm::errs() << "--evaluate-ids: expected ids with commas between or a .npy file, got '" << part << "'\n";
      return failure();
    }
    ids.push_back(id);
  }
  return ids;
}

/// Files by the names that `option` gives them.
static FailureOr<std::map<std::string, std::string>> namedFiles(const cl::list<std::string> &option) {
  std::map<std::string, std::string> files;
  for (StringRef text : option) {
    auto [name, file] = text.split("=@");
    if (name.empty() || file.empty() || !files.try_emplace(name.str(), file.str()).second) {
      llvm::errs() << "--" << option.ArgStr << ": expected NAME=@FILE.npy, each name once, got '" << text << "'\n";
      return failure();
    }
  }
  return files;
}

LogicalResult Evaluation::instrument(PassManager &passes) {
  if (!checkPasses)
    return success();
  CheckOptions options;
  options.weights = weightOptions(WeightOptions::Source::Random);
  options.seed = evaluateSeed;
  options.tolerance = checkTolerance;
  for (const std::string &pass : checkSkip)
    options.skip.insert(pass);
  auto ids = givenIds();
  if (failed(ids))
    return failure();
  options.ids = std::move(*ids);
  passes.getContext()->disableMultithreading(); // the checker looks at the whole module while a pass works on a part
  passes.addInstrumentation(createPassChecker(std::move(options), differs));
  return success();
}

LogicalResult Evaluation::finish(PassManager &passes, llvm::raw_ostream &os) {
  if (!evaluateModule)
    return success();
  ReportOptions options;
  options.weights = weightOptions(WeightOptions::Source::Files);
  auto ids = givenIds();
  if (failed(ids))
    return failure();
  options.ids = std::move(*ids);
  auto inputs = namedFiles(evaluateInputs), outputs = namedFiles(evaluateOutputs);
  if (failed(inputs) || failed(outputs))
    return failure();
  options.inputFiles = std::move(*inputs), options.outputFiles = std::move(*outputs);
  if (options.ids.empty() == options.inputFiles.empty()) {
    llvm::errs() << "--evaluate: expected what to evaluate: --evaluate-ids or --evaluate-input\n";
    return failure();
  }
  options.prefill = evaluatePrefill;
  options.function = evaluateFunction;
  options.logitsFile = evaluateLogits;
  options.routingFile = evaluateRouting;
  passes.addPass(createReport(std::move(options), os));
  return success();
}

bool Evaluation::replacesOutput() { return evaluateModule; }
