// embed and gather_outputs: rows chosen by number, a block to a row.
#include "lowering/nvptx/Emit.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t threads = 128;

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::EmbedOp op) {
  KernelBuilder &b = frame.b;
  frame.launch(threads, {frame.perRow()});
  Weight table = frame.weight(op.getTable());
  int64_t width = table.width(), times = moe::widthOf(op.getType()) / width;
  Number token = b.block(0);
  Pointer source = table.row((frame.buffer(op.getIds()) + token).loadIndex());
  b.forRange(times, [&](Number i) {
    Pointer destination = frame.result(0) + (token * times + i) * width;
    b.forColumns(width, threads,
                 [&](Number column, int64_t lanes) { (destination + column).store((source + column).loadF32(lanes)); });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::GatherOutputsOp op) {
  KernelBuilder &b = frame.b;
  frame.launch(threads, {{.extent = plan::Extent::Outputs, .factor = 1}});
  int64_t width = moe::widthOf(op.getType());
  Number output = b.block(0);
  Number token = (frame.batch(op.getBatch()).outputTokens + output).loadIndex();
  Pointer source = frame.buffer(op.getInput()) + token * width, destination = frame.result(0) + output * width;
  b.forColumns(width, threads, [&](Number column, int64_t lanes) { (destination + column).store((source + column).load(lanes)); });
}
