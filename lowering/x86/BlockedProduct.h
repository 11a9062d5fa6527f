// A matrix product in a kernel: blocks of rows that stay in the cache, items of columns, an epilogue on each result.
#ifndef MOEC_LOWERING_X86_BLOCKEDPRODUCT_H
#define MOEC_LOWERING_X86_BLOCKEDPRODUCT_H

#include "lowering/x86/DotTile.h"
#include "lowering/x86/KernelFrame.h"

namespace moec::lowering::x86 {

/// Calls `body(column, lanes)` for the columns of item `item` that lie within `width`: vectors where the item is whole. `column`
/// counts from the item's first.
void forItemColumns(KernelBuilder &b, Number item, int64_t width, llvm::function_ref<void(Number, int64_t)> body);

class BlockedProduct {
public:
  /// Products over `width` elements with weights stored in one way, `groups` items of columns side by side (gate and up: two).
  BlockedProduct(KernelFrame &frame, const Storage &weight, moe::Compute compute, int64_t width, int64_t groups);

  /// Cuts `rows` rows into blocks: `source(i)` is where row i is read, and `body(first, count)` may multiply rows
  /// [first, first + count).
  void forBlocks(Number rows, llvm::function_ref<Pointer(Number)> source, llvm::function_ref<void(Number, Number)> body);

  /// Multiplies the block with the weight rows of item `item` of each group: `weightRow(group, column)` is the row of a
  /// column, for columns below `columns`. The items up to `end` are next; `rowsAfterwards`, unless empty, has the
  /// address of the row of each group that is read after them and the last block, or 0.
  void multiply(Number count, Number item, Number end, int64_t columns, llvm::function_ref<WeightRow(int64_t, Number)> weightRow,
                llvm::ArrayRef<Number> rowsAfterwards = {});

  /// The product of row `row` of the block at `column` of the item.
  Number result(int64_t group, Number row, Number column, int64_t lanes) const;

private:
  KernelBuilder &b;
  DotForm form;
  int64_t width, groups, blockRows;
  Pointer activations;
  WeightRows weightRows;
  Pointer afterwards;
  Pointer results;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_BLOCKEDPRODUCT_H
