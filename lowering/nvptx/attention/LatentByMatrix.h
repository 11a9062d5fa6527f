// Latent attention by matrix units in one launch: queries over the latent, attention to spans of the cache, values of the heads.
//
// Pieces of three stages follow each other (LaunchOrder): a head's query projection for some columns of the latent and some tokens;
// the heads of a token over a span of positions, or of the token's list of them; a head's value projection for some columns and
// tokens, which adds up the spans first. In prefill tokens at a sequence's first positions attend to keys and values of the heads
// instead (ExpandedByMatrix), which are made and attended to beside the first two stages.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_LATENTBYMATRIX_H
#define MOEC_LOWERING_NVPTX_ATTENTION_LATENTBYMATRIX_H

#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/attention/ExpandedByMatrix.h"
#include "lowering/nvptx/attention/SpanAttention.h"
#include "lowering/nvptx/launches/LaunchOrder.h"
#include "lowering/nvptx/positions/PositionLists.h"
#include "lowering/nvptx/products/StagedProduct.h"

namespace moec::lowering::nvptx {

class LatentByMatrix {
public:
  /// In which form tokens are computed, and whether several blocks share the positions of one.
  struct Forms {
    bool mayExpand, cutsSpans;
  };
  /// A prefill step has tokens enough to fill a GPU.
  static constexpr Forms ofPrefill{.mayExpand = true, .cutsSpans = false}, ofDecode{.mayExpand = false, .cutsSpans = true};

  /// Whether weights, sizes and memory allow it; caches are bf16.
  static bool fits(const Target &target, const LatentOperands &operands, const LatentSizes &sizes);

  LatentByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes, double scale, Forms forms);
  void emit();

private:
  enum Stage : int64_t { queries, attention, values, stageCount };
  /// Of a step, those of one projection's piece.
  struct Tokens {
    Number first, count;
    Number absorbed = {}; ///< i64: a bit for each of them, that is to be computed over the latents, where some may be expanded
  };

  Tokens tokensOf(Number group);
  int64_t queryPieces() const; ///< for tokens of one group
  int64_t valuePieces() const;
  void projectQueries(Number piece, const Tokens &tokens);
  void attend(Number piece);
  void projectValues(Number piece, const Tokens &tokens, llvm::function_ref<void()> waitForAttention);
  void storeLengths();
  Number lastOf(Number token);
  Number isAbsorbed(const Tokens &tokens, Number inPiece);
  void ifAbsorbed(const Tokens &tokens, llvm::function_ref<void()> body, llvm::function_ref<void()> otherwise);
  Pointer queryRow(Number token, Number head) { return latentQueries + (token * sizes.heads + head) * width; }

  KernelFrame &frame;
  KernelBuilder &b;
  const LatentOperands &operands;
  const LatentSizes &sizes;
  const int64_t rowTiles; ///< of a block's queries
  const int64_t width;    ///< of a row of the cache
  LaunchOrder order;
  std::optional<ExpandedByMatrix> expanded; ///< for some tokens, if at all
  Pointer latentQueries;                    ///< bf16 [tokens, heads, width]: the query over the latent, then its rotary part
  std::optional<PositionLists> lists;
  Pointer lengths; ///< i32 [tokens], of the lists, if there are any
  SpanSums sums;
  SpanAttention spans;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_LATENTBYMATRIX_H
