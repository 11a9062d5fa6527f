// Evaluating a language model on the ids of one sequence, in one step or several.
#include "passes/evaluator/Generation.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace moec::evaluator;

FailureOr<func::FuncOp> moec::evaluator::stepFunction(ModuleOp module, StringRef phase) {
  SmallVector<func::FuncOp> all, marked;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isPrivate())
      continue;
    all.push_back(function);
    if (auto attr = function->getAttrOfType<StringAttr>("moe.phase"); attr && attr.getValue() == phase)
      marked.push_back(function);
  }
  if (marked.size() == 1)
    return marked.front();
  if (marked.empty() && all.size() == 1)
    return all.front();
  return module.emitError() << "expected one function with moe.phase = \"" << phase << "\" or one function in all, got "
                            << marked.size() << " of " << all.size() << "; name the one to evaluate";
}

/// A value for each parameter of a step function of one sequence.
static FailureOr<std::vector<Argument>> argumentsFor(func::FuncOp function, ArrayRef<int32_t> ids, int64_t past) {
  std::vector<Argument> arguments;
  for (Type type : function.getArgumentTypes())
    if (isa<moec::moe::BatchType>(type))
      arguments.emplace_back(Batch::single(past, int64_t(ids.size())));
    else if (moec::moe::isTokenIds(type))
      arguments.emplace_back(Tensor({int64_t(ids.size())}, std::vector<double>(ids.begin(), ids.end())));
    else
      return function.emitError() << "expected only token ids and the batch as arguments of a step, got " << type;
  return arguments;
}

std::string moec::evaluator::outputName(func::FuncOp function, unsigned result) {
  if (auto name = function.getResultAttrOfType<StringAttr>(result, "moe.output"))
    return name.str();
  return "result." + std::to_string(result);
}

FailureOr<Outputs> moec::evaluator::evaluateIds(ModuleOp module, ArrayRef<int32_t> ids, size_t prefill, Weights &weights,
                                                StringRef name) {
  auto functionFor = [&](StringRef phase) -> FailureOr<func::FuncOp> {
    if (name.empty())
      return stepFunction(module, phase);
    if (auto function = module.lookupSymbol<func::FuncOp>(name))
      return function;
    return module.emitError() << "expected a function '" << name << "' in the module";
  };
  Caches caches;
  Outputs outputs;
  for (size_t done = 0; done < ids.size();) {
    size_t count = done ? 1 : prefill && prefill < ids.size() ? prefill : ids.size();
    auto function = functionFor(done ? "decode" : "prefill");
    if (failed(function))
      return failure();
    auto arguments = argumentsFor(*function, ids.slice(done, count), int64_t(done));
    if (failed(arguments))
      return failure();
    auto results = evaluate(*function, *arguments, weights, caches);
    if (failed(results))
      return failure();
    for (auto [i, result] : llvm::enumerate(*results)) {
      Tensor &all = outputs.try_emplace(outputName(*function, unsigned(i)), std::vector<int64_t>{0, result.width()}).first->second;
      llvm::append_range(all.elements, result.elements);
      all.shape[0] += result.rows();
    }
    done += count;
  }
  return outputs;
}
