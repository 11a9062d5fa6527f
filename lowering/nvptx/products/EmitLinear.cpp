// linear and gate_up: dense products over all rows.
#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/products/Product.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// The result of products of the input's rows with one or more weights [columns, in], an element of which is `combine` of its
/// number, its column and the products.
static void emitProducts(KernelFrame &frame, Pointer input, ArrayRef<Weight> weights, moe::Compute compute,
                         function_ref<Number(Number, Number, ArrayRef<Number>)> combine) {
  KernelBuilder &b = frame.b;
  int64_t in = weights[0].width(), columns = weights[0].leadingRows();
  Pointer result = frame.result(0);
  bool byMatrix = MatrixProduct::covers(b.target, compute, weights[0].storage(), in);
  int64_t groups = int64_t(weights.size());
  const Storage &storage = weights[0].storage();
  Product::Strategy strategy = Product::choose(frame, compute, byMatrix, Product::sizesOf(storage, columns, in, groups));
  Product product(frame, strategy, storage, compute, in, {}, groups);
  product.forShare(frame, columns, 1, [&](Product::Blocks cut, Number block, Number first, Number rows) {
    product.multiply(
        cut, block, columns, rows, [&](int64_t group, Number column) { return weights[group].matrixRow(column); },
        [&](Number row) { return input + (first + row) * in; },
        [&](Number row, Number column, ArrayRef<Number> sums) {
          Number element = (first + row) * columns + column;
          return Product::Element{result + element, combine(element, column, sums)};
        });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::LinearOp op) {
  Weight weight = frame.weight(op.getWeight()), bias = frame.weight(op.getBias());
  Pointer residual = op.getResidual() ? frame.buffer(op.getResidual()) : Pointer();
  emitProducts(frame, frame.buffer(op.getInput()), weight, op.getCompute(),
               [&](Number element, Number column, ArrayRef<Number> sums) {
                 Number sum = sums[0];
                 if (bias)
                   sum = sum + bias.row(column).loadF32();
                 if (residual.builder)
                   sum = sum + (residual + element).load();
                 return sum;
               });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::GateUpOp op) {
  Weight weights[] = {frame.weight(op.getGate()), frame.weight(op.getUp())};
  emitProducts(frame, frame.buffer(op.getInput()), weights, op.getCompute(),
               [&](Number, Number, ArrayRef<Number> sums) { return activate(op.getActivation(), sums[0], sums[1]); });
}
