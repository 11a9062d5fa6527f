// How many spans attention to a long context is cut into.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_SPANCOST_H
#define MOEC_LOWERING_NVPTX_ATTENTION_SPANCOST_H

#include "lowering/nvptx/CostModel.h"
#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/attention/Spans.h"

#include <optional>

namespace moec::lowering::nvptx {

/// Attention of one token.
struct SpanSizes {
  int64_t blocks;      ///< that a span takes: heads of keys, and groups of heads that share them
  int64_t bytesOfRow;  ///< keys and values of a position, of all heads
  int64_t bytesOfSums; ///< that a span leaves: contexts and weights of all heads
  int64_t mostSpans;   ///< that there is shared memory for where they are added up
};

/// What the token takes behind so many positions: its spans, then their sum.
Cost costOf(const SpanSizes &sizes, const Spans &spans, int64_t positions, const Machine &machine);

/// Where nothing is known of contexts, and what there is always memory for.
inline constexpr int64_t usualSpans = 16;
int64_t usualSpansOf(const SpanSizes &sizes); ///< fewer if shared memory is little

/// The most spans, a power of two, that a token is to have: with them one behind `positions` positions takes least, or little more
/// in more blocks; of numbers for which there is memory in a step of `rows` tokens.
int64_t mostSpans(const SpanSizes &sizes, int64_t shortest, int64_t positions, int64_t rows, const Machine &machine);

/// The same for a kernel that attends to `cache`, with a remark; to lists of so many positions, if not to all. A kernel by itself,
/// without a model's longest sequence, gets the usual number.
int64_t chooseMostSpans(const KernelFrame &frame, const SpanSizes &sizes, int64_t shortest, const Cache &cache,
                        std::optional<int64_t> listed = {});

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_SPANCOST_H
