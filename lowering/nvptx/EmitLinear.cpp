// linear and gate_up: dense products over all rows.
#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/WarpProduct.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// `body(row, column)` in every lane of the warp that computes the element; one lane stores what it returns.
static void forElements(KernelFrame &frame, int64_t columns, function_ref<Number(Number, Number)> body) {
  KernelBuilder &b = frame.b;
  frame.launch(productThreads, {KernelFrame::constant(blocksOfColumns(columns)), frame.perRow(productRows)});
  Pointer result = frame.result(0);
  Number column = b.block(0) * productWarps + b.warp(), firstRow = b.block(1) * productRows;
  b.ifThen(column < columns, [&] {
    b.forRange(firstRow, minimum(firstRow + productRows, frame.rows), 1, [&](Number row) {
      Number value = body(row, column);
      b.ifThen(b.lane() == 0, [&] { (result + row * columns + column).store(value); });
    });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::LinearOp op) {
  Weight weight = frame.weight(op.getWeight()), bias = frame.weight(op.getBias());
  int64_t in = weight.width(), out = weight.leadingRows();
  Pointer input = frame.buffer(op.getInput());
  Pointer residual = op.getResidual() ? frame.buffer(op.getResidual()) : Pointer();
  WarpProduct product(frame.b, op.getCompute(), in);
  forElements(frame, out, [&](Number row, Number column) {
    Number sum = product.dot(weight.row(column), input + row * in);
    if (bias)
      sum = sum + bias.row(column).loadF32();
    if (residual.builder)
      sum = sum + (residual + row * out + column).load();
    return sum;
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::GateUpOp op) {
  Weight gate = frame.weight(op.getGate()), up = frame.weight(op.getUp());
  int64_t in = gate.width();
  Pointer input = frame.buffer(op.getInput());
  WarpProduct product(frame.b, op.getCompute(), in);
  forElements(frame, gate.leadingRows(), [&](Number row, Number column) {
    Pointer x = input + row * in;
    return activate(op.getActivation(), product.dot(gate.row(column), x), product.dot(up.row(column), x));
  });
}
