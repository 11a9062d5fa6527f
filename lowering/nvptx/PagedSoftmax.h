// Attention of one query row over the pages of a cache by a block: scores of a page, softmax on the way, weighted values.
//
// Pages begin at fixed positions, so a row meets the same arithmetic in the same order whatever the step it is computed in.
#ifndef MOEC_LOWERING_NVPTX_PAGEDSOFTMAX_H
#define MOEC_LOWERING_NVPTX_PAGEDSOFTMAX_H

#include "lowering/nvptx/KernelFrame.h"

#include <optional>

namespace moec::lowering::nvptx {

class PagedSoftmax {
public:
  static constexpr int64_t threads = 128;

  /// For keys and values of `keyWidth` and `valueWidth` elements.
  PagedSoftmax(KernelFrame &frame, int64_t keyWidth, int64_t valueWidth);

  /// Shared memory for the query row, f32 [keyWidth], to be filled before `attend` (which begins with a barrier).
  const Pointer query;

  struct Options {
    double scale = 1;
    std::optional<double> softCap = {};
    std::optional<Number> sink = {}; ///< a score that takes part in the softmax without a value
  };
  /// Rows of a cache, `stride` elements apart within a page.
  struct Rows {
    int64_t stride;
    llvm::function_ref<Pointer(Number)> page; ///< the first row of the page that begins at a position
  };
  /// Attends to positions [first, last]. Returns the shared memory that holds the context, f32 [valueWidth], for all threads to
  /// read.
  Pointer attend(Number first, Number last, const Options &options, Rows keys, Rows values);

private:
  KernelBuilder &b;
  int64_t keyWidth, valueWidth;
  Pointer scores, weights, context;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PAGEDSOFTMAX_H
