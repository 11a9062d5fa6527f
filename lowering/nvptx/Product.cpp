// Tiles for matrix units, or columns for warps.
#include "lowering/nvptx/Product.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

Product::Product(KernelFrame &frame, bool byMatrix, moe::Compute compute, int64_t width, ArrayRef<int64_t> strides, int64_t groups)
    : b(frame.b), groups(groups) {
  if (byMatrix)
    matrix.emplace(frame, width, groups);
  else
    warp.emplace(b, compute, width, strides);
}

/// Calls `body` for `row` if it has no run; for all rows of its run if it is the first of them; else not at all.
void Product::forRun(Runs runs, Number first, Number count, Number row, function_ref<void(Number)> body) {
  if (runs.longest == 1)
    return body(row);
  Number number = runs.numberOf(first + row);
  Number isFirst = (row == 0) | (runs.numberOf(first + maximum(row - 1, b.integer(0))) != number);
  b.forRange(row, minimum(row + runs.longest, count), 1, {isFirst}, [&](Number each, ArrayRef<Number> before) {
    Number continues = before[0] & (runs.numberOf(first + each) == number);
    b.ifThen(continues, [&] { body(each); });
    return KernelBuilder::Numbers{continues};
  });
}

void Product::multiply(Number block, int64_t columns, Number rows, MatrixProduct::WeightRow weight,
                       MatrixProduct::ActivationRow activation, Store store, Runs runs) {
  if (matrix) {
    b.forRange(b.integer(0), rows, MatrixProduct::rows, [&](Number first) {
      Number count = minimum(rows - first, b.integer(MatrixProduct::rows));
      matrix->multiply(
          block * MatrixProduct::columns, columns, count, weight, [&](Number row) { return activation(first + row); },
          [&](Number row, Number column, MatrixProduct::Sums sums) {
            forRun(runs, first, count, row, [&](Number each) { store(first + each, column, sums(each)); });
          });
    });
    return;
  }
  Number column = block * productWarps + b.warp();
  b.ifThen(column < columns, [&] {
    b.forRange(rows, [&](Number row) {
      KernelBuilder::Numbers sums;
      for (int64_t group = 0; group < groups; ++group)
        sums.push_back(warp->dot(weight(group, column), activation(row)));
      b.ifThen(b.lane() == 0, [&] { store(row, column, sums); });
    });
  });
}
