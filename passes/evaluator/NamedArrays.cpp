// Evaluating a function on arrays for its named inputs.
#include "passes/evaluator/NamedArrays.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/evaluator/Npy.h"

using namespace mlir;
using namespace moec::evaluator;

FailureOr<Outputs> moec::evaluator::evaluateFiles(ModuleOp module, const std::map<std::string, std::string> &files,
                                                  Weights &weights, StringRef name) {
  func::FuncOp function = module.lookupSymbol<func::FuncOp>(name);
  if (!name.empty() && !function)
    return module.emitError() << "expected a function '" << name << "' in the module";
  if (!function) {
    auto only = stepFunction(module, "");
    if (failed(only))
      return failure();
    function = *only;
  }
  std::vector<Argument> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto input = function.getArgAttrOfType<StringAttr>(i, "moe.input");
    auto file = input ? files.find(input.str()) : files.end();
    if (file == files.end())
      return function.emitError() << "expected a file for argument " << i << (input ? " '" + input.str() + "'" : "");
    llvm::Expected<Tensor> tensor = readNpy(file->second);
    if (!tensor)
      return function.emitError() << llvm::toString(tensor.takeError());
    arguments.emplace_back(std::move(*tensor));
  }
  if (arguments.size() != files.size())
    return function.emitError() << "expected files for " << arguments.size() << " inputs, got " << files.size();
  Caches caches;
  auto results = evaluate(function, arguments, weights, caches);
  if (failed(results))
    return failure();
  Outputs outputs;
  for (auto [i, result] : llvm::enumerate(*results))
    outputs[outputName(function, unsigned(i))] = std::move(result);
  return outputs;
}
