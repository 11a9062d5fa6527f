// Attention with grouped key/value heads: by matrix units, or a block for one head of one token.
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/attention/AttentionByMatrix.h"
#include "lowering/nvptx/attention/PagedSoftmax.h"
#include "lowering/nvptx/positions/PositionLists.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static void emitByThreads(KernelFrame &frame, moe::AttentionOp op, const AttentionOperands &given) {
  KernelBuilder &b = frame.b;
  frame.launch(PagedSoftmax::threads, {KernelFrame::constant(given.keyHeads * given.group), frame.perRow()});

  Number head = b.block(0), token = b.block(1), keyHead = head / given.group;
  Number sequence = (given.batch.tokenSequence + token).loadIndex(), position = (given.batch.positions + token).loadIndex();
  PagedSoftmax softmax(frame, given.headDim, given.valueDim);
  Pointer query = given.query + token * given.queryWidth + head * given.headDim;
  b.forThreads(b.integer(given.headDim), PagedSoftmax::threads, [&](Number i) {
    Number q = (query + i).load();
    (softmax.query + i).store(op.getCompute() == moe::Compute::BF16 ? b.roundToBf16(q) : q);
  });

  PagedSoftmax::Options options{.scale = op.getScale().convertToDouble()};
  if (op.getSoftCap())
    options.softCap = op.getSoftCap()->convertToDouble();
  std::optional<Number> sink;
  if (given.sinks)
    sink = given.sinks.row(head).loadF32();
  auto keyOffset = [&](Number at) { return frame.cacheOffset(given.keys, given.batch, sequence, at) + keyHead * given.headDim; };
  auto valueOffset = [&](Number at) {
    return frame.cacheOffset(given.values, given.batch, sequence, at) + keyHead * given.valueDim;
  };
  PagedSoftmax::State state = softmax.start(sink);
  state = softmax.meet(state, firstVisible(op, position), position + 1, options, {given.keys.base, keyOffset},
                       {given.values.base, valueOffset});
  if (given.entries) {
    std::optional<PositionLists> lists;
    if (given.listed)
      lists.emplace(b, given.lists, given.listed);
    Number count = lists ? lists->lengthOf(token) : (position + 1) / given.entries->block;
    auto entryOffset = [&](Number index) {
      Number entry = lists ? lists->at(token, index) : index;
      return frame.cacheOffset(*given.entries, given.batch, sequence, entry * given.entries->block) + keyHead * given.headDim;
    };
    PagedSoftmax::Rows entries{given.entries->base, entryOffset};
    state = softmax.meet(state, b.integer(0), count, options, entries, entries);
  }
  Pointer result = given.result + token * given.resultWidth + head * given.valueDim;
  b.forThreads(b.integer(given.valueDim), PagedSoftmax::threads,
               [&](Number column) { (result + column).store(softmax.contextOf(state, column)); });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::AttentionOp op) {
  const AttentionOperands operands(frame, op);
  if (AttentionByMatrix::covers(frame.b.target, operands, op)) {
    AttentionByMatrix(frame, operands, op).emit();
  } else {
    frame.noteThreads(op.getCompute(), "types of the caches or sizes of the heads do not suit");
    emitByThreads(frame, op, operands);
  }
}
