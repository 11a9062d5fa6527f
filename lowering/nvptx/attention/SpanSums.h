// What attention to the spans of a token's positions leaves in global memory, and how it adds up, in order of the positions. Spans
// of other rows that the token attends to in the same softmax follow.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_SPANSUMS_H
#define MOEC_LOWERING_NVPTX_ATTENTION_SPANSUMS_H

#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/attention/Spans.h"

#include <optional>

namespace moec::lowering::nvptx {

class SpanSums {
public:
  /// For every token of the step and `heads` contexts `width` wide, an even number; spans of each kind of rows.
  SpanSums(KernelFrame &frame, llvm::ArrayRef<Spans> kinds, int64_t heads, int64_t width);

  /// What a span leaves, of so many.
  static constexpr int64_t bytesOf(int64_t heads, int64_t width) { return heads * (width + 2) * int64_t(sizeof(float)); }

  const llvm::SmallVector<Spans, 2> kinds;
  /// Spans of a token, of all kinds; and of those before one.
  int64_t count() const { return countOf(kinds); }
  int64_t countBefore(int64_t kind) const { return countOf(llvm::ArrayRef(kinds).take_front(size_t(kind))); }
  static int64_t countOf(llvm::ArrayRef<Spans> kinds);
  /// Spans [first, end), of one kind.
  struct Range {
    Number first, end;
  };
  /// Those of a kind that a token with rows [first, last] of it has; none if the last is -1.
  Range rangeOf(int64_t kind, Number first, Number last);
  /// Of spans of a kind of a token whose last row is `last`: the length, a power of two, as its exponent.
  Number lengthBits(int64_t kind, Number last);
  /// How many of them a token has that sees all rows up to `last`, of which -1 is none.
  Number countUpTo(Number last, Number lengthBits);

  /// Keeps what one span gave: two neighbouring columns of the context; what weights are relative to, and their sum.
  void storeContext(Number token, Number span, Number head, Number column, Number two);
  void storeWeights(Number token, Number span, Number head, Number largest, Number sum);

  /// By what the contexts of a token's spans are to be multiplied to add up, to `factors` [count()]; for one thread. `sink` is a
  /// score (times log2(e)) that takes part without a value.
  void storeFactors(Number token, llvm::ArrayRef<Range> ranges, Number head, Pointer factors, std::optional<Number> sink = {});
  /// Two neighbouring columns of the context of those spans together, a vector.
  Number contextOf(Number token, llvm::ArrayRef<Range> ranges, Number head, Number column, Pointer factors);

private:
  Number place(Number token, Number span, Number head) { return (token * count() + span) * heads + head; }
  Number forSpans(llvm::ArrayRef<Range> ranges, Number initial, llvm::function_ref<Number(Number span, Number before)> body);

  KernelBuilder &b;
  int64_t heads, width;
  Pointer contexts; ///< f32 [tokens, spans, heads, width]
  Pointer weights;  ///< f32 [tokens, spans, heads, 2]: largest and sum
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_SPANSUMS_H
