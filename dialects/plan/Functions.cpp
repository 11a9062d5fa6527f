// Verifiers of the plan dialect's functions; each message cites its constraint.
#include "dialects/plan/Functions.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace moec::plan;

#define GET_OP_CLASSES
#include "dialects/plan/PlanFunctionOps.cpp.inc"

ValueRange FunctionOp::getResults() { return getBody().front().getTerminator()->getOperands(); }

/// Why `names` are not names of different tensors; empty when they are.
static std::string problemOf(ArrayAttr names) {
  llvm::StringSet<> seen;
  for (auto name : names.getAsRange<StringAttr>())
    if (name.empty())
      return "a name, got none";
    else if (!seen.insert(name).second)
      return "one '" + name.str() + "', got two";
  return "";
}

LogicalResult FunctionOp::verifyRegions() {
  Block &body = getBody().front();
  size_t expected = getInputs().size() + getWeights().size();
  if (body.getNumArguments() != expected || !llvm::all_of(body.getArgumentTypes(), llvm::IsaPred<RankedTensorType>))
    return emitOpError() << "C1: expected " << expected << " arguments that are ranked tensors, got " << body.getNumArguments()
                         << " of types " << body.getArgumentTypes();
  auto end = dyn_cast<ResultsOp>(body.getTerminator());
  if (!end || end.getValues().size() != getOutputs().size() ||
      !llvm::all_of(end.getValues().getTypes(), llvm::IsaPred<RankedTensorType>))
    return emitOpError() << "C2: expected a region that ends with plan.results of " << getOutputs().size() << " ranked tensors";
  for (auto [what, names] : {std::pair("inputs", getInputs()), std::pair("outputs", getOutputs())})
    if (std::string problem = problemOf(names); !problem.empty())
      return emitOpError() << "C3: expected of " << what << " " << problem;
  return success();
}

LogicalResult FunctionOp::verifySymbolUses(SymbolTableCollection &symbols) {
  ValueRange arguments = getBody().getArguments();
  for (auto [symbol, argument] :
       llvm::zip_equal(getWeights().getAsRange<FlatSymbolRefAttr>(), arguments.drop_front(getInputs().size()))) {
    auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, symbol);
    if (!weight || weight.getType() != argument.getType())
      return emitOpError() << "C4: expected '" << symbol.getValue() << "' to name a plan.weight of type " << argument.getType();
  }
  return success();
}
