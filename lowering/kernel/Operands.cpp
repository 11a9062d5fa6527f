// Operands from ops.
#include "lowering/kernel/Operands.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

AttentionOperands::AttentionOperands(const KernelArguments &arguments, moe::AttentionOp op)
    : batch(arguments.batch(op.getBatch())), keys(arguments.cache(op.getKeysAttr())), values(arguments.cache(op.getValuesAttr())),
      sinks(arguments.weight(op.getSinks())), query(arguments.buffer(op.getQuery())), result(arguments.result(0)),
      headDim(op.getHeadDim()), queryWidth(moe::widthOf(op.getQuery().getType())), resultWidth(moe::widthOf(op.getType())),
      keyHeads(keys.width / headDim), valueDim(values.width / keyHeads), group(queryWidth / headDim / keyHeads) {
  if (op.getEntries())
    entries = arguments.cache(op.getEntriesAttr());
  if (op.getPositions()) {
    lists = arguments.buffer(op.getPositions());
    listed = moe::widthOf(op.getPositions().getType());
  }
}

/// The buffer of an operand that need not be there.
static Pointer optionalBuffer(const KernelArguments &arguments, Value operand) {
  return operand ? arguments.buffer(operand) : Pointer();
}

static int64_t dimOf(Value weight, unsigned dim) { return cast<RankedTensorType>(weight.getType()).getDimSize(dim); }

ExpertHiddenOperands::ExpertHiddenOperands(const KernelArguments &arguments, moe::ExpertHiddenOp op)
    : gate(arguments.weight(op.getGate())), up(arguments.weight(op.getUp())), gateBias(arguments.weight(op.getGateBias())),
      upBias(arguments.weight(op.getUpBias())), sharedGate(arguments.weight(op.getSharedGate())),
      sharedUp(arguments.weight(op.getSharedUp())), input(arguments.buffer(op.getInput())),
      offsets(arguments.buffer(op.getOffsets())), order(arguments.buffer(op.getOrder())),
      weights(optionalBuffer(arguments, op.getWeights())), experts(dimOf(op.getGate(), 0)), intermediate(dimOf(op.getGate(), 1)),
      in(dimOf(op.getGate(), 2)), k(moe::widthOf(op.getOrder().getType())),
      hidden{arguments.result(0), moe::widthOf(op.getType()), k, intermediate} {}

CombineOperands::CombineOperands(const KernelArguments &arguments, moe::CombineOp op)
    : down(arguments.weight(op.getDown())), downBias(arguments.weight(op.getDownBias())),
      sharedDown(arguments.weight(op.getSharedDown())), offsets(arguments.buffer(op.getOffsets())),
      order(arguments.buffer(op.getOrder())), result(arguments.result(0)), weights(optionalBuffer(arguments, op.getWeights())),
      residual(optionalBuffer(arguments, op.getResidual())), experts(dimOf(op.getDown(), 0)), out(dimOf(op.getDown(), 1)),
      intermediate(dimOf(op.getDown(), 2)), k(moe::widthOf(op.getOrder().getType())),
      hidden{arguments.buffer(op.getHidden()), moe::widthOf(op.getHidden().getType()), k, intermediate} {}
