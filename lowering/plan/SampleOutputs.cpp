// Lets a step choose the next token of each output.
#include "lowering/plan/Passes.h"

#include "dialects/moe/OutputRows.h"
#include "mlir/IR/Builders.h"
#include "runtime/schema/Artifact_generated.h"

using namespace mlir;
using namespace moec;

namespace moec::lowering {
#define GEN_PASS_DEF_SAMPLEOUTPUTS
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

struct SampleOutputs : lowering::impl::SampleOutputsBase<SampleOutputs> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    const moe::OutputRows outputs(function);
    Operation *end = function.getBody().front().getTerminator();
    for (OpOperand &result : end->getOpOperands()) {
      auto name = function.getResultAttrOfType<StringAttr>(result.getOperandNumber(), "moe.output");
      if (name && name == "logits" && moe::isRows(result.get().getType()) &&
          moe::widthOf(result.get().getType()) <= int64_t(artifact::Layout::max_vocabulary) && outputs.contains(result.get())) {
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
