// Attention with grouped key/value heads: by matrix units, or a block for one head of one token.
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/AttentionByMatrix.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/PagedSoftmax.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static void emitByThreads(KernelFrame &frame, moe::AttentionOp op, const AttentionOperands &given) {
  KernelBuilder &b = frame.b;
  frame.launch(PagedSoftmax::threads, {KernelFrame::constant(given.keyHeads * given.group), frame.perRow()});

  Number head = b.block(0), token = b.block(1), keyHead = head / given.group;
  Number sequence = (given.batch.tokenSequence + token).load().toInteger(b.i64),
         position = (given.batch.positions + token).load().toInteger(b.i64);
  PagedSoftmax softmax(frame, given.headDim, given.valueDim);
  Pointer query = given.query + token * given.queryWidth + head * given.headDim;
  b.forThreads(b.integer(given.headDim), PagedSoftmax::threads, [&](Number i) {
    Number q = (query + i).load();
    (softmax.query + i).store(op.getCompute() == moe::Compute::BF16 ? b.roundToBf16(q) : q);
  });

  PagedSoftmax::Options options{.scale = op.getScale().convertToDouble()};
  if (op.getSoftCap())
    options.softCap = op.getSoftCap()->convertToDouble();
  if (given.sinks)
    options.sink = given.sinks.row(head).loadF32();
  auto keyPage = [&](Number start) { return frame.cacheRow(given.keys, given.batch, sequence, start) + keyHead * given.headDim; };
  auto valuePage = [&](Number start) {
    return frame.cacheRow(given.values, given.batch, sequence, start) + keyHead * given.valueDim;
  };
  Pointer context =
      softmax.attend(firstVisible(op, position), position, options, {given.keys.width, keyPage}, {given.values.width, valuePage});
  Pointer result = given.result + token * given.resultWidth + head * given.valueDim;
  b.forThreads(b.integer(given.valueDim), PagedSoftmax::threads,
               [&](Number column) { (result + column).store((context + column).load()); });
}

LogicalResult moec::lowering::nvptx::emit(KernelFrame &, moe::PoolBlocksOp op) {
  return op.emitOpError("expected attention to single positions; no GPU target pools blocks of them yet");
}

LogicalResult moec::lowering::nvptx::emit(KernelFrame &frame, moe::AttentionOp op) {
  if (op.getEntries())
    return op.emitOpError("expected attention to single positions; no GPU target attends to entries of blocks yet");
  const AttentionOperands operands(frame, op);
  if (AttentionByMatrix::covers(frame.b.target, operands, op))
    AttentionByMatrix(frame, operands, op).emit();
  else
    emitByThreads(frame, op, operands);
  return success();
}
