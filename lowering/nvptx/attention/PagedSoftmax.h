// Attention of one query row over rows of caches by a block: scores of a page of them, softmax on the way, weighted values.
//
// Pages begin at fixed rows, so a query meets the same arithmetic in the same order whatever the step it is computed in.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_PAGEDSOFTMAX_H
#define MOEC_LOWERING_NVPTX_ATTENTION_PAGEDSOFTMAX_H

#include "lowering/nvptx/KernelFrame.h"

#include <optional>

namespace moec::lowering::nvptx {

class PagedSoftmax {
public:
  static constexpr int64_t threads = 128;

  /// For keys and values of `keyWidth` and `valueWidth` elements.
  PagedSoftmax(KernelFrame &frame, int64_t keyWidth, int64_t valueWidth);

  /// Shared memory for the query row, f32 [keyWidth], to be filled before `start`.
  const Pointer query;

  struct Options {
    double scale = 1;
    std::optional<double> softCap = {};
  };
  /// Rows of a cache: how many elements behind the first the row lies that is to be met `index`th.
  struct Rows {
    Pointer base;
    llvm::function_ref<Number(Number index)> offset;
  };
  /// What the weights so far are relative to, and their sum.
  struct State {
    Number largest, sum;
  };
  /// Nothing has been met but the `sink`, a score that takes part in the softmax without a value. Ends with a barrier.
  State start(std::optional<Number> sink = {});
  /// Meets rows [first, end), a page of them at a time.
  State meet(State before, Number first, Number end, const Options &options, Rows keys, Rows values);
  /// A column of the context, for the thread that b.forThreads gives it.
  Number contextOf(State state, Number column);
  /// Returns the shared memory that holds the context, f32 [valueWidth], behind a barrier.
  Pointer finish(State state);

private:
  void forColumns(llvm::function_ref<void(Number)> body) { b.forThreads(b.integer(valueWidth), threads, body); }

  KernelBuilder &b;
  int64_t keyWidth, valueWidth;
  Pointer scores, weights, valueOffsets, context;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_PAGEDSOFTMAX_H
