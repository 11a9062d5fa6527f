// Attention with grouped heads by matrix units in one launch: spans of positions and of entries, then their sum.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_ATTENTIONBYMATRIX_H
#define MOEC_LOWERING_NVPTX_ATTENTION_ATTENTIONBYMATRIX_H

#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/attention/SpanAttention.h"
#include "lowering/nvptx/launches/LaunchOrder.h"
#include "lowering/nvptx/positions/PositionLists.h"

namespace moec::lowering::nvptx {

class AttentionByMatrix {
public:
  /// Whether types, sizes and memory allow it.
  static bool covers(const Target &target, const AttentionOperands &operands, moe::AttentionOp op);

  AttentionByMatrix(KernelFrame &frame, const AttentionOperands &operands, moe::AttentionOp op);
  void emit();

private:
  enum Stage : int64_t { attention, results, stageCount };

  Number queryPair(Number token, Number head, Number column);
  void attend(Number piece);
  void attendToEntries(Number piece);
  Number lastEntryOf(Number token);
  void addSpans(Number piece);

  KernelFrame &frame;
  KernelBuilder &b;
  const AttentionOperands &operands;
  moe::AttentionOp op;
  LaunchOrder order;
  SpanSums sums;
  SpanAttention spans;
  const Number takesAll;                   ///< whether a block takes all spans of a token and heads
  std::optional<PositionLists> lists;      ///< of entries
  std::optional<SpanAttention> entrySpans; ///< if there are entries
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_ATTENTIONBYMATRIX_H
