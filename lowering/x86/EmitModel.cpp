// embed and gather_outputs: rows chosen by number.
#include "lowering/x86/Emit.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

void moec::lowering::x86::emit(KernelFrame &frame, moe::EmbedOp op) {
  KernelBuilder &b = frame.b;
  Weight table = frame.weight(op.getTable());
  Pointer ids = frame.buffer(op.getIds()), result = frame.result(0);
  int64_t width = table.width(), times = moe::widthOf(op.getType()) / width;
  b.forRange(frame.begin, frame.end, 1, [&](Number token) {
    Pointer source = table.row((ids + token).loadIndex());
    b.forRange(times, [&](Number i) {
      Pointer destination = result + (token * times + i) * width;
      b.forColumns(width, [&](Number column, int64_t lanes) { (destination + column).store((source + column).loadF32(lanes)); });
    });
  });
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::GatherOutputsOp op) {
  KernelBuilder &b = frame.b;
  Pointer input = frame.buffer(op.getInput()), outputTokens = frame.batch(op.getBatch()).outputTokens, result = frame.result(0);
  int64_t width = moe::widthOf(op.getType());
  b.forRange(frame.begin, frame.end, 1, [&](Number output) {
    Pointer source = input + (outputTokens + output).loadIndex() * width, destination = result + output * width;
    b.forColumns(width, [&](Number column, int64_t lanes) { (destination + column).store((source + column).load(lanes)); });
  });
}
