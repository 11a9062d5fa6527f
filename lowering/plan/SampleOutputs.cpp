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

/// Weights of more ids could add up to more than 64 bits.
constexpr int64_t largestVocabulary = 1 << 22;

/// Whether all rows that `rows` is computed from are those of a moe.gather_outputs: then it has one for each output.
bool hasRowsOfOutputs(Value rows) {
  SmallVector<Value> pending{rows};
  DenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!seen.insert(value).second || isa_and_nonnull<moe::GatherOutputsOp>(op))
      continue;
    auto operands = op ? op->getOperands() : ValueRange();
    if (llvm::none_of(operands, [](Value operand) { return moe::isRows(operand.getType()); }))
      return false;
    for (Value operand : operands)
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
      if (name && name == "logits" && moe::isRows(result.get().getType()) &&
          moe::widthOf(result.get().getType()) <= largestVocabulary && hasRowsOfOutputs(result.get())) {
        if (failed(sample(function, end, result.get())))
          signalPassFailure();
        return;
      }
    }
  }

  static LogicalResult sample(func::FuncOp function, Operation *end, Value logits) {
    OpBuilder builder(end);
    Location location = NameLoc::get(builder.getStringAttr("sample"));
    if (failed(function.insertArgument(function.getNumArguments(), moe::samplingType(builder.getContext()), {}, location)))
      return failure();
    Type token = RankedTensorType::get({ShapedType::kDynamic, 1}, builder.getI32Type());
    auto sample = moe::SampleOp::create(builder, location, token, logits, function.getArguments().back());
    NamedAttribute name(builder.getStringAttr("moe.output"), builder.getStringAttr("sampled"));
    if (failed(function.insertResult(function.getNumResults(), token, builder.getDictionaryAttr(name))))
      return failure();
    end->insertOperands(end->getNumOperands(), sample.getResult());
    return success();
  }
};

} // namespace
