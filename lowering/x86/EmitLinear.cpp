// linear, grouped_linear and gate_up: dense products over all rows.
#include "lowering/kernel/Functions.h"
#include "lowering/x86/BlockedProduct.h"
#include "lowering/x86/Emit.h"

#include "lowering/plan/Schedule.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

void moec::lowering::x86::emit(KernelFrame &frame, moe::LinearOp op) {
  KernelBuilder &b = frame.b;
  Weight weight = frame.weight(op.getWeight()), bias = frame.weight(op.getBias());
  int64_t in = weight.width(), out = weight.leadingRows();
  Pointer input = frame.buffer(op.getInput()), result = frame.result(0);
  Pointer residual = op.getResidual() ? frame.buffer(op.getResidual()) : Pointer();
  Pointer biases = bias ? frame.allocate(b.f32, columnsPerItem) : Pointer();

  BlockedProduct product(frame, weight.storage(), op.getCompute(), in, 1);
  auto source = [&](Number row) { return input + row * in; };
  product.forBlocks(frame.rows, source, [&](Number first, Number count) {
    b.forRange(frame.begin, frame.end, 1, [&](Number item) {
      product.multiply(count, item, frame.end, out, [&](int64_t, Number column) { return weight.matrixRow(column); });
      if (bias) // an element at a time: a fused projection's bias lies in several parts
        b.forRange(minimum(b.integer(columnsPerItem), b.integer(out) - item * columnsPerItem),
                   [&](Number i) { (biases + i).store(bias.row(item * columnsPerItem + i).loadF32()); });
      b.forRange(count, [&](Number row) {
        Number start = (first + row) * out + item * columnsPerItem;
        forItemColumns(b, item, out, [&](Number column, int64_t lanes) {
          Number sum = product.result(0, row, column, lanes);
          if (bias)
            sum = sum + (biases + column).load(lanes);
          if (residual.builder)
            sum = sum + (residual + start + column).load(lanes);
          (result + start + column).store(sum);
        });
      });
    });
  });
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::GroupedLinearOp op) {
  KernelBuilder &b = frame.b;
  Weight weight = frame.weight(op.getWeight());
  int64_t groups = op.getGroups(), in = weight.width(), out = weight.leadingRows() / groups, items = itemsOfColumns(out);
  Pointer input = frame.buffer(op.getInput()), result = frame.result(0);

  BlockedProduct product(frame, weight.storage(), op.getCompute(), in, 1);
  b.forRange(frame.begin / items, (frame.end + (items - 1)) / items, 1, [&](Number group) {
    Number firstItem = maximum(frame.begin - group * items, b.integer(0)),
           endItem = minimum(frame.end - group * items, b.integer(items));
    auto source = [&](Number row) { return input + (row * groups + group) * in; };
    Number next = group + 1, nextRow = minimum(next, b.integer(groups - 1)) * out;
    Number afterwards = select(next * items < frame.end, weight.matrixRow(nextRow).elements.address(), b.integer(0));
    product.forBlocks(frame.rows, source, [&](Number first, Number count) {
      b.forRange(firstItem, endItem, 1, [&](Number item) {
        product.multiply(
            count, item, endItem, out, [&](int64_t, Number column) { return weight.matrixRow(group * out + column); }, afterwards);
        b.forRange(count, [&](Number row) {
          Number start = ((first + row) * groups + group) * out + item * columnsPerItem;
          forItemColumns(b, item, out, [&](Number column, int64_t lanes) {
            (result + start + column).store(product.result(0, row, column, lanes));
          });
        });
      });
    });
  });
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::GateUpOp op) {
  KernelBuilder &b = frame.b;
  Weight gate = frame.weight(op.getGate()), up = frame.weight(op.getUp());
  int64_t in = gate.width(), out = gate.leadingRows();
  Pointer input = frame.buffer(op.getInput()), result = frame.result(0);

  BlockedProduct product(frame, gate.storage(), op.getCompute(), in, 2);
  auto source = [&](Number row) { return input + row * in; };
  product.forBlocks(frame.rows, source, [&](Number first, Number count) {
    b.forRange(frame.begin, frame.end, 1, [&](Number item) {
      product.multiply(count, item, frame.end, out,
                       [&](int64_t group, Number column) { return (group ? up : gate).matrixRow(column); });
      b.forRange(count, [&](Number row) {
        Number start = (first + row) * out + item * columnsPerItem;
        forItemColumns(b, item, out, [&](Number column, int64_t lanes) {
          (result + start + column)
              .store(activate(op.getActivation(), product.result(0, row, column, lanes), product.result(1, row, column, lanes)));
        });
      });
    });
  });
}
