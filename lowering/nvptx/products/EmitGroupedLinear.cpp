// grouped_linear: a dense product for each group of columns.
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/products/Product.h"

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
  ProductSizes sizes = Product::sizesOf(weight.storage(), out, in, 1);
  sizes.planes = groups;
  Product product(frame, Product::choose(frame, op.getCompute(), byMatrix, sizes), weight.storage(), op.getCompute(), in, {}, 1);
  product.forShare(frame, out, groups, [&](Product::Blocks cut, Number block, Number first, Number rows) {
    Number group = b.block(2);
    product.multiply(
        cut, block, out, rows, [&](int64_t, Number column) { return weight.matrixRow(group * out + column); },
        [&](Number row) { return input + ((first + row) * groups + group) * in; },
        [&](Number row, Number column, ArrayRef<Number> sums) {
          return Product::Element{result + ((first + row) * groups + group) * out + column, sums[0]};
        });
  });
}
