// The pass checker: evaluates every function before and after each pass and reports the first op that differs.
#include "passes/evaluator/PassChecker.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "passes/evaluator/Comparison.h"
#include "passes/evaluator/StepInputs.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec::evaluator;

namespace {
/// What a function made of its inputs before the pass.
struct Trial {
  StepInputs inputs;
  Outcome outcome;
};
using Trials = std::map<StepKind, Trial>;

struct PassChecker : PassInstrumentation {
  PassChecker(CheckOptions options, bool &failed) : options(std::move(options)), failed(failed), weights(this->options.weights) {}

  void runBeforePass(Pass *, Operation *op) override {
    ModuleOp module = moduleOf(op);
    if (failed || !module || fingerprint)
      return;
    for (func::FuncOp function : publicFunctions(module))
      if (mlir::failed(tryFirst(function)))
        return fail();
    fingerprint.emplace(module);
  }

  void runAfterPass(Pass *pass, Operation *op) override {
    ModuleOp module = moduleOf(op);
    if (failed || !module)
      return;
    OperationFingerPrint now(module);
    if (now == *fingerprint)
      return;
    fingerprint.emplace(now);
    std::map<std::string, Trials> after;
    StringSet<> kept;
    for (func::FuncOp function : publicFunctions(module))
      if (mlir::failed(check(function, module, *pass, after[function.getName().str()], kept)))
        return fail();
    for (auto &[name, trials] : before)
      if (!kept.contains(name)) {
        module.emitError() << "pass '" << nameOf(*pass) << "' left nothing to compare with function '" << name << "'";
        return fail();
      }
    before = std::move(after);
  }

private:
  void fail() { failed = true; }

  static ModuleOp moduleOf(Operation *op) {
    auto module = dyn_cast<ModuleOp>(op);
    return module ? module : op->getParentOfType<ModuleOp>();
  }

  static StringRef nameOf(const Pass &pass) { return pass.getArgument().empty() ? pass.getName() : pass.getArgument(); }

  static SmallVector<func::FuncOp> publicFunctions(ModuleOp module) {
    return llvm::to_vector(llvm::make_filter_range(module.getOps<func::FuncOp>(), [](func::FuncOp f) { return f.isPublic(); }));
  }

  /// The kinds of steps that a function is for.
  static SmallVector<StepKind> kindsOf(func::FuncOp function) {
    auto phase = function->getAttrOfType<StringAttr>("moe.phase");
    if (!phase)
      return {StepKind::Ragged, StepKind::Decode};
    return {phase.getValue() == "decode" ? StepKind::Decode : StepKind::Ragged};
  }

  FailureOr<Outcome> evaluateOn(func::FuncOp function, const StepInputs &inputs) {
    Outcome outcome;
    outcome.caches = inputs.caches;
    auto results = evaluate(function, inputs.arguments, weights, outcome.caches, &outcome.trace);
    if (mlir::failed(results))
      return failure();
    outcome.results = std::move(*results);
    return outcome;
  }

  LogicalResult tryFirst(func::FuncOp function) {
    for (StepKind kind : kindsOf(function)) {
      auto inputs = makeUpInputs(function, kind, options.seed, options.ids);
      if (mlir::failed(inputs))
        return failure();
      auto outcome = evaluateOn(function, *inputs);
      if (mlir::failed(outcome))
        return failure();
      before[function.getName().str()][kind] = {std::move(*inputs), std::move(*outcome)};
    }
    return success();
  }

  /// The name that `function` had before the pass: its own, or that of the one function which is no more.
  std::optional<std::string> originOf(func::FuncOp function, ModuleOp module) {
    if (before.count(function.getName().str()))
      return function.getName().str();
    std::optional<std::string> origin;
    for (auto &[name, trials] : before)
      if (!module.lookupSymbol(name)) {
        if (origin)
          return std::nullopt;
        origin = name;
      }
    return origin;
  }

  LogicalResult check(func::FuncOp function, ModuleOp module, const Pass &pass, Trials &after, StringSet<> &kept) {
    std::optional<std::string> origin = originOf(function, module);
    if (!origin)
      return function.emitError() << "pass '" << nameOf(pass) << "' made function '" << function.getName()
                                  << "', which there is nothing to compare with";
    kept.insert(*origin);
    for (StepKind kind : kindsOf(function)) {
      auto original = before[*origin].find(kind);
      if (original == before[*origin].end())
        continue; // the function was for one phase only, and is not marked any more
      auto outcome = evaluateOn(function, original->second.inputs);
      if (mlir::failed(outcome))
        return function.emitError() << "cannot evaluate function '" << function.getName() << "' after pass '" << nameOf(pass)
                                    << "'";
      if (!options.skip.contains(pass.getArgument()))
        if (auto difference = compare(*outcome, original->second.outcome, options.tolerance))
          return report(function, kind, pass, *difference);
      after[kind] = {original->second.inputs, std::move(*outcome)};
    }
    return success();
  }

  LogicalResult report(func::FuncOp function, StepKind kind, const Pass &pass, const Difference &difference) {
    auto number = [](double value) { return llvm::formatv("{0:e2}", value).str(); };
    Operation *at = difference.first ? difference.first->op : function.getOperation();
    InFlightDiagnostic error = at->emitError()
                               << "pass '" << nameOf(pass) << "' changed what function '" << function.getName() << "' computes";
    if (difference.first)
      error << ": '" << at->getName() << "' is the first op that differs, by a normalised error of "
            << number(difference.firstError);
    else
      error << "; no op that kept its location differs";
    error << "; expected at most " << number(options.tolerance) << ", got " << number(difference.error) << " in " << difference.what
          << " of a " << (kind == StepKind::Decode ? "decode" : "ragged") << " step";
    return error;
  }

  CheckOptions options;
  bool &failed;
  Weights weights;
  std::optional<OperationFingerPrint> fingerprint;
  std::map<std::string, Trials> before;
};
} // namespace

std::unique_ptr<PassInstrumentation> moec::evaluator::createPassChecker(CheckOptions options, bool &failed) {
  return std::make_unique<PassChecker>(std::move(options), failed);
}
