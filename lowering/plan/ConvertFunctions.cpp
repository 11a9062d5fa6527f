// Turns functions of named tensors into functions of the plan: weights become arguments, bodies stay as they are.
#include "dialects/plan/Functions.h"
#include "lowering/plan/Passes.h"
#include "lowering/plan/WeightParts.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace moec::lowering {
#define GEN_PASS_DEF_CONVERTFUNCTIONS
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

/// Names and signs of what goes in or comes out, by the attributes that arguments or results have.
struct Ports {
  SmallVector<StringRef> names;
  SmallVector<int64_t> withoutSign;

  LogicalResult read(func::FuncOp function, unsigned count, StringRef key,
                     llvm::function_ref<DictionaryAttr(unsigned)> attributesOf) {
    for (unsigned index = 0; index < count; ++index) {
      DictionaryAttr attributes = attributesOf(index);
      auto name = attributes ? attributes.getAs<StringAttr>(key) : StringAttr();
      if (!name)
        return function.emitOpError() << "expected '" << key << "' on each, got none on number " << index;
      names.push_back(name);
      if (attributes.contains("moe.unsigned"))
        withoutSign.push_back(index);
    }
    return success();
  }
};

LogicalResult convert(func::FuncOp function) {
  Ports inputs, outputs;
  if (failed(
          inputs.read(function, function.getNumArguments(), "moe.input", [&](unsigned i) { return function.getArgAttrDict(i); })) ||
      failed(outputs.read(function, function.getNumResults(), "moe.output",
                          [&](unsigned i) { return function.getResultAttrDict(i); })))
    return failure();
  if (function.isExternal() || !function.getBody().hasOneBlock())
    return function.emitOpError() << "expected a body of one block";

  llvm::MapVector<Attribute, SmallVector<GetWeightOp>> reads;
  function.walk([&](GetWeightOp get) { reads[get.getWeightAttr()].push_back(get); });
  SmallVector<Attribute> weights;
  Block &body = function.getBody().front();
  for (auto &[symbol, gets] : reads) {
    weights.push_back(symbol);
    Value argument = body.addArgument(gets.front().getType(), gets.front().getLoc());
    for (GetWeightOp get : gets) {
      get.replaceAllUsesWith(argument);
      get.erase();
    }
  }

  OpBuilder builder(function);
  auto converted = plan::FunctionOp::create(builder, function.getLoc(), function.getSymName(),
                                            builder.getStrArrayAttr(inputs.names), builder.getStrArrayAttr(outputs.names),
                                            builder.getArrayAttr(weights), inputs.withoutSign, outputs.withoutSign);
  converted.getBody().takeBody(function.getBody());
  Operation *end = converted.getBody().front().getTerminator();
  builder.setInsertionPoint(end);
  plan::ResultsOp::create(builder, end->getLoc(), end->getOperands());
  end->erase();
  function.erase();
  return success();
}

struct ConvertFunctions : lowering::impl::ConvertFunctionsBase<ConvertFunctions> {
  void runOnOperation() override {
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (failed(convert(function)))
        return signalPassFailure();
    llvm::DenseSet<Attribute> read;
    for (auto function : getOperation().getOps<plan::FunctionOp>())
      read.insert_range(function.getWeights());
    for (auto weight : llvm::make_early_inc_range(getOperation().getOps<WeightOp>())) {
      OpBuilder builder(weight);
      if (read.contains(FlatSymbolRefAttr::get(weight.getSymNameAttr())))
        plan::WeightOp::create(builder, weight.getLoc(), weight.getSymNameAttr(), weight.getTypeAttr(),
                               builder.getArrayAttr(lowering::partsForFunctions(weight)));
      weight.erase();
    }
  }
};

} // namespace
