// Lets a step choose the next token of each output.
#include "lowering/plan/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec;

namespace moec::lowering {
#define GEN_PASS_DEF_SAMPLEOUTPUTS
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

/// Whether every value that `rows` is computed from by ops of rows comes through a moe.gather_outputs: then it has a row for each
/// output.
bool hasRowsOfOutputs(Value rows) {
  SmallVector<Value> pending{rows};
  DenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!seen.insert(value).second || isa_and_nonnull<moe::GatherOutputsOp>(op))
      continue;
    if (!op)
      return false;
    for (Value operand : op->getOperands())
      if (moe::isRows(operand.getType()))
        pending.push_back(operand);
  }
  return true;
}

struct SampleOutputs : lowering::impl::SampleOutputsBase<SampleOutputs> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    Operation *end = function.getBody().front().getTerminator();
    for (OpOperand &result : end->getOpOperands()) {
      auto name = function.getResultAttrOfType<StringAttr>(result.getOperandNumber(), "moe.output");
      if (name && name == "logits" && moe::isRows(result.get().getType()) && hasRowsOfOutputs(result.get()))
        return sample(function, end, result.get());
    }
  }

  static void sample(func::FuncOp function, Operation *end, Value logits) {
    OpBuilder builder(end);
    Location location = NameLoc::get(builder.getStringAttr("sample"));
    if (failed(function.insertArgument(function.getNumArguments(), moe::samplingType(builder.getContext()), {}, location)))
      return;
    Type token = RankedTensorType::get({ShapedType::kDynamic, 1}, builder.getI32Type());
    auto sample = moe::SampleOp::create(builder, location, token, logits, function.getArguments().back());
    NamedAttribute name(builder.getStringAttr("moe.output"), builder.getStringAttr("sampled"));
    if (succeeded(function.insertResult(function.getNumResults(), token, builder.getDictionaryAttr(name))))
      end->insertOperands(end->getNumOperands(), sample.getResult());
  }
};

} // namespace
