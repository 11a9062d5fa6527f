// Blocks and items of a matrix product.
#include "lowering/x86/BlockedProduct.h"

#include "lowering/plan/Schedule.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

void moec::lowering::x86::forItemColumns(KernelBuilder &b, Number item, int64_t width, function_ref<void(Number, int64_t)> body) {
  if (width % columnsPerItem == 0)
    return b.forColumns(columnsPerItem, body);
  Number left = b.integer(width) - item * columnsPerItem;
  b.ifThenElse(
      left >= columnsPerItem, [&] { b.forColumns(columnsPerItem, body); },
      [&] { b.forRange(left, [&](Number column) { body(column, 0); }); });
}

BlockedProduct::BlockedProduct(KernelFrame &frame, const Storage &weight, moe::Compute compute, int64_t width, int64_t groups)
    : b(frame.b), form(frame.b, weight, compute), width(width), groups(groups), blockRows(form.blockRows(width)),
      activations(frame.allocate(form.activation(), form.activationElements(blockRows, width))),
      weightRows(WeightRows::allocate(frame, weight, groups * columnsPerItem, width)), afterwards(frame.allocate(b.i64, groups)),
      results(frame.allocate(b.f32, form.resultElements(blockRows, groups * columnsPerItem))) {}

void BlockedProduct::forBlocks(Number rows, function_ref<Pointer(Number)> source, function_ref<void(Number, Number)> body) {
  b.forRange(b.integer(0), rows, blockRows, [&](Number first) {
    Number count = minimum(rows - first, b.integer(blockRows));
    b.forRange(count,
               [&](Number i) { form.convertRow(source(first + i), activations.plusBytes(i * form.rowBytes(width)), width); });
    body(first, count);
  });
}

void BlockedProduct::multiply(Number count, Number item, Number end, int64_t columns,
                              function_ref<WeightRow(int64_t, Number)> weightRow, ArrayRef<Number> rowsAfterwards) {
  // Columns beyond the last repeat it; nobody looks at what comes out.
  b.forRange(columnsPerItem, [&](Number i) {
    Number column = item * columnsPerItem + i;
    if (columns % columnsPerItem)
      column = minimum(column, b.integer(columns - 1));
    for (int64_t group = 0; group < groups; ++group)
      weightRows.set(i + group * columnsPerItem, weightRow(group, column));
  });
  for (int64_t group = 0; group < groups; ++group)
    (afterwards + group).store(rowsAfterwards.empty() ? b.integer(0) : rowsAfterwards[group]);
  Number rowsEnd = minimum(end * columnsPerItem, b.integer(columns));
  Upcoming upcoming{columnsPerItem, maximum(rowsEnd - (item + 1) * columnsPerItem, b.integer(0)), afterwards};
  form.multiply(activations, count, weightRows, b.integer(groups * columnsPerItem), width, results, groups * columnsPerItem,
                upcoming);
}

Number BlockedProduct::result(int64_t group, Number row, Number column, int64_t lanes) const {
  return (results + row * (groups * columnsPerItem) + column + group * columnsPerItem).load(lanes);
}
