// Attention over the pages of a cache: a softmax that takes one page of scores at a time.
//
// Pages begin at fixed positions, so a query row meets the same arithmetic in the same order however the sequence was cut
// into steps and the step into blocks; a page without a key for a row leaves the row's state unchanged to the bit.
#ifndef MOEC_LOWERING_X86_ONLINESOFTMAX_H
#define MOEC_LOWERING_X86_ONLINESOFTMAX_H

#include "lowering/x86/KernelFrame.h"
#include "lowering/x86/WeightedRows.h"

#include <optional>

namespace moec::lowering::x86 {

class OnlineSoftmax {
public:
  /// State for up to `maxRows` query rows with contexts of `width` elements.
  OnlineSoftmax(KernelFrame &frame, int64_t maxRows, int64_t width, double scale, std::optional<double> softCap = {});

  /// Row `row` has seen nothing; it will look at keys of positions [first, last]. `sink` is a score that takes part in the
  /// softmax without a value.
  void startRow(Number row, Number first, Number last, std::optional<Number> sink = {});
  /// From now on it looks at keys of positions [first, last], as another cache counts them.
  void look(Number row, Number first, Number last);
  /// The scores' rows, one page wide: products of query rows and the keys of a page, before scaling.
  Matrix scores() const;
  /// Takes in the scores of rows [from, rows) with the page that begins at `pageStart` and adds the first `keys` of its values.
  /// With marks (i32, a row of a page's width for each of all rows) only keys whose mark is not 0 count.
  void takePage(Number from, Number rows, Number pageStart, Number keys, Matrix values, std::optional<Pointer> marks = {});
  /// Element(s) `column` of a row's context, when all pages are in.
  Number context(Number row, Number column, int64_t lanes) const;

private:
  void buildUpdate(bool marked, llvm::ArrayRef<Number> arguments) const;

  KernelBuilder &b;
  int64_t width;
  double scale;
  std::optional<double> softCap;
  Pointer scoreRows, contexts, maxima, sums, firsts, lasts;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_ONLINESOFTMAX_H
