// grouped_linear: a dense product for each group of columns.
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/Product.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::GroupedLinearOp op) {
  KernelBuilder &b = frame.b;
  Weight weight = frame.weight(op.getWeight());
  int64_t groups = op.getGroups(), in = weight.width(), out = weight.leadingRows() / groups;
  Pointer input = frame.buffer(op.getInput()), result = frame.result(0);
  bool byMatrix = MatrixProduct::covers(b.target, op.getCompute(), weight.storage(), in);
  Product product(frame, byMatrix, weight.storage(), op.getCompute(), in, {}, 1);
  const int64_t rows = product.rowsOfBlock(), blocks = Product::blocksOf(out, byMatrix);
  frame.launch(Product::threads, {KernelFrame::constant(blocks), frame.perRow(rows), KernelFrame::constant(groups)});

  Number first = b.block(1) * rows, group = b.block(2);
  auto multiply = [&](Product::Blocks cut) {
    product.multiply(
        cut, b.block(0), out, minimum(frame.rows - first, b.integer(rows)),
        [&](int64_t, Number column) { return weight.matrixRow(group * out + column); },
        [&](Number row) { return input + ((first + row) * groups + group) * in; },
        [&](Number row, Number column, ArrayRef<Number> sums) {
          (result + ((first + row) * groups + group) * out + column).store(sums[0]);
        });
  };
  if (!Product::hasTiles(frame, byMatrix))
    return multiply(Product::Blocks::narrow);
  auto tile = [&] { b.ifThen(b.block(0) < Product::tilesOf(out, 1), [&] { multiply(Product::Blocks::tiles); }); };
  b.ifThenElse(Product::tilesPay(frame.rows), tile, [&] { multiply(Product::Blocks::narrow); });
}
