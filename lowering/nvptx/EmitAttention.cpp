// Attention with grouped key/value heads: a block takes one head of one token.
#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/PagedSoftmax.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::AttentionOp op) {
  KernelBuilder &b = frame.b;
  Batch batch = frame.batch(op.getBatch());
  Cache keys = frame.cache(op.getKeysAttr()), values = frame.cache(op.getValuesAttr());
  Weight sinks = frame.weight(op.getSinks());
  int64_t headDim = op.getHeadDim(), queryWidth = moe::widthOf(op.getQuery().getType()), resultWidth = moe::widthOf(op.getType());
  int64_t keyHeads = keys.width / headDim, valueDim = values.width / keyHeads, heads = queryWidth / headDim;
  frame.launch(PagedSoftmax::threads, {KernelFrame::constant(heads), frame.perRow()});

  Number head = b.block(0), token = b.block(1), keyHead = head / (heads / keyHeads);
  Number sequence = (batch.tokenSequence + token).load().toInteger(b.i64),
         position = (batch.positions + token).load().toInteger(b.i64);
  PagedSoftmax softmax(frame, headDim, valueDim);
  Pointer query = frame.buffer(op.getQuery()) + token * queryWidth + head * headDim;
  b.forThreads(b.integer(headDim), PagedSoftmax::threads, [&](Number i) {
    Number q = (query + i).load();
    (softmax.query + i).store(op.getCompute() == moe::Compute::BF16 ? b.roundToBf16(q) : q);
  });

  PagedSoftmax::Options options{.scale = op.getScale().convertToDouble()};
  if (op.getSoftCap())
    options.softCap = op.getSoftCap()->convertToDouble();
  if (sinks)
    options.sink = sinks.row(head).loadF32();
  auto keyPage = [&](Number start) { return frame.cacheRow(keys, batch, sequence, start) + keyHead * headDim; };
  auto valuePage = [&](Number start) { return frame.cacheRow(values, batch, sequence, start) + keyHead * valueDim; };
  Pointer context = softmax.attend(firstVisible(op, position), position, options, {keys.width, keyPage}, {values.width, valuePage});
  Pointer result = frame.result(0) + token * resultWidth + head * valueDim;
  b.forThreads(b.integer(valueDim), PagedSoftmax::threads,
               [&](Number column) { (result + column).store((context + column).load()); });
}
