// Scores of positions for one token by matrix units: what queries of all heads make of cached keys, cut off at zero, weighed and
// added.
//
// Queries are f32, as which positions are chosen must not depend on how they were rounded: each is the sum of three bf16, which
// have its 24 bits, and each of those is multiplied with the keys.
#ifndef MOEC_LOWERING_NVPTX_POSITIONS_SCORESBYMATRIX_H
#define MOEC_LOWERING_NVPTX_POSITIONS_SCORESBYMATRIX_H

#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/matrix/MatrixUnits.h"

namespace moec::lowering::nvptx {

class ScoresByMatrix {
public:
  /// Threads of a block, and positions that it scores at once.
  static constexpr int64_t threads = 256, positionsAtOnce = 128;

  /// Whether types, sizes and memory allow it, for `heads` queries as wide as the cache.
  static bool fits(const Target &target, const Cache &cache, int64_t heads);

  ScoresByMatrix(KernelFrame &frame, int64_t heads, int64_t width);

  struct Token {
    Pointer queries, weights; ///< f32 [heads, width], f32 [heads]
  };
  /// Scores positions [first, end) and those that are each `stride` further than the last ones, below `count`, as `first` is. `row`
  /// is where a position's key lies, bf16. For all threads of the block.
  void score(const Token &token, Number first, Number stride, Number count, llvm::function_ref<Pointer(Number position)> row,
             llvm::function_ref<void(Number position, Number score)> store);

private:
  static SharedRows queryRowsOf(int64_t heads, int64_t width);
  static SharedRows keyRowsOf(int64_t width) { return SharedRows::ofWidth(positionsAtOnce, width); }
  void stageQueries(const Token &token);
  KernelBuilder::Numbers addRowTile(const Token &token, Number tile, llvm::ArrayRef<Number> before);

  KernelBuilder &b;
  const int64_t heads, width;
  const SharedRows queryRows, keyRows;
  Pointer queries; ///< rows of heads, one part of all after the other
  Pointer keys;    ///< rows of positions
  Pointer partial; ///< f32 [sharers of the heads, positions]
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_POSITIONS_SCORESBYMATRIX_H
