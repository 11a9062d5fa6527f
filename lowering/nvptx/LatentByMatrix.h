// Latent attention by matrix units in one launch: queries over the latent, attention to spans of the cache, values of the heads.
//
// Pieces of three stages follow each other (LaunchOrder): a head's query projection for some columns of the latent and all tokens;
// the heads of a token over a span of positions; a head's value projection for some columns and all tokens, which adds up the spans
// first.
#ifndef MOEC_LOWERING_NVPTX_LATENTBYMATRIX_H
#define MOEC_LOWERING_NVPTX_LATENTBYMATRIX_H

#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/LaunchOrder.h"
#include "lowering/nvptx/MatrixAttention.h"
#include "lowering/nvptx/SpanSums.h"
#include "lowering/nvptx/StagedProduct.h"

namespace moec::lowering::nvptx {

class LatentByMatrix {
public:
  static constexpr int64_t spansOfDecode = 16;

  /// Whether sizes and memory allow it; caches and weights are bf16.
  static bool fits(const Target &target, const LatentSizes &sizes);

  /// At most `spans` blocks share the positions of a token.
  LatentByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes, double scale, int64_t spans);
  void emit();

private:
  enum Stage : int64_t { queries, attention, values, stageCount };

  static QueryTile tileOf(const LatentSizes &sizes);
  static MatrixAttention::Shape shapeOf(const LatentSizes &sizes, double scale);
  void projectQueries(Number piece);
  void attend(Number piece);
  void attendTo(Number token, Number group, Number span);
  void projectValues(Number piece);
  Pointer queryRow(Number token, Number head) { return latentQueries + (token * sizes.heads + head) * width; }

  KernelFrame &frame;
  KernelBuilder &b;
  const LatentOperands &operands;
  const LatentSizes &sizes;
  const double scale;
  const QueryTile tile;
  const int64_t width; ///< of a row of the cache
  LaunchOrder order;
  Pointer latentQueries; ///< bf16 [tokens, heads, width]: the query over the latent, then its rotary part
  SpanSums sums;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_LATENTBYMATRIX_H
