// linear and gate_up: dense products over all rows.
#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/MatrixProduct.h"
#include "lowering/nvptx/WarpProduct.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// The result of products of the input's rows with one or more weights [columns, in], an element of which is `combine` of the
/// products.
static void emitProducts(KernelFrame &frame, Pointer input, ArrayRef<Weight> weights, moe::Compute compute,
                         function_ref<Number(Number, Number, ArrayRef<Number>)> combine) {
  KernelBuilder &b = frame.b;
  int64_t in = weights[0].width(), columns = weights[0].leadingRows();
  Pointer result = frame.result(0);
  auto store = [&](Number row, Number column, ArrayRef<Number> sums) {
    (result + row * columns + column).store(combine(row, column, sums));
  };

  if (MatrixProduct::covers(b.target, compute, weights[0].element(), in)) {
    frame.launch(MatrixProduct::threads,
                 {KernelFrame::constant(MatrixProduct::blocksOf(columns)), frame.perRow(MatrixProduct::rows)});
    MatrixProduct product(frame, in, int64_t(weights.size()));
    Number firstRow = b.block(1) * MatrixProduct::rows;
    product.multiply(
        b.block(0) * MatrixProduct::columns, columns, minimum(frame.rows - firstRow, b.integer(MatrixProduct::rows)),
        [&](int64_t group, Number column) { return weights[group].row(column); },
        [&](Number row) { return input + (firstRow + row) * in; },
        [&](Number row, Number column, MatrixProduct::Sums sums) { store(firstRow + row, column, sums(row)); });
    return;
  }

  frame.launch(productThreads, {KernelFrame::constant(blocksOfColumns(columns)), frame.perRow(productRows)});
  WarpProduct product(b, compute, in);
  Number column = b.block(0) * productWarps + b.warp(), firstRow = b.block(1) * productRows;
  b.ifThen(column < columns, [&] {
    b.forRange(firstRow, minimum(firstRow + productRows, frame.rows), 1, [&](Number row) {
      KernelBuilder::Numbers sums;
      for (const Weight &weight : weights)
        sums.push_back(product.dot(weight.row(column), input + row * in));
      b.ifThen(b.lane() == 0, [&] { store(row, column, sums); });
    });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::LinearOp op) {
  Weight weight = frame.weight(op.getWeight()), bias = frame.weight(op.getBias());
  int64_t out = weight.leadingRows();
  Pointer residual = op.getResidual() ? frame.buffer(op.getResidual()) : Pointer();
  emitProducts(frame, frame.buffer(op.getInput()), weight, op.getCompute(), [&](Number row, Number column, ArrayRef<Number> sums) {
    Number sum = sums[0];
    if (bias)
      sum = sum + bias.row(column).loadF32();
    if (residual.builder)
      sum = sum + (residual + row * out + column).load();
    return sum;
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::GateUpOp op) {
  Weight weights[] = {frame.weight(op.getGate()), frame.weight(op.getUp())};
  emitProducts(frame, frame.buffer(op.getInput()), weights, op.getCompute(),
               [&](Number, Number, ArrayRef<Number> sums) { return activate(op.getActivation(), sums[0], sums[1]); });
}
