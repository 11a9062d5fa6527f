// Attention of a step's tokens in pieces for blocks: a tile of query rows over one span of positions.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_SPANATTENTION_H
#define MOEC_LOWERING_NVPTX_ATTENTION_SPANATTENTION_H

#include "lowering/nvptx/attention/MatrixAttention.h"
#include "lowering/nvptx/attention/SpanSums.h"

namespace moec::lowering::nvptx {

class SpanAttention {
public:
  /// Heads of keys, and of queries that share one of them.
  struct Heads {
    int64_t ofKeys, ofGroup;
    int64_t count() const { return ofKeys * ofGroup; }
  };
  /// Tiles of 16 rows of a block: more do not fit its registers.
  static constexpr int64_t mostRowTiles = 2;
  static QueryTile tileOf(Heads heads) { return QueryTile::of(heads.ofGroup, mostRowTiles); }

  /// What spans give goes to `sums`, of which they are the `kind`th.
  SpanAttention(KernelFrame &frame, const Batch &batch, Heads heads, const MatrixAttention::Shape &shape, SpanSums &sums,
                int64_t kind = 0);

  int64_t threads() const { return MatrixAttention::threadsOf(tile.rowTiles); }
  /// Pieces for every token of the step. Some are empty: those of spans beyond a token, and of tokens that are in another's tile.
  int64_t piecesOfToken() const { return heads.ofKeys * tile.groups * spansOfToken(); }
  int64_t spansOfToken() const { return sums.kinds[size_t(kind)].most; }

  /// Whom rows are read for.
  struct Reader {
    Number keyHead, token, sequence;
  };
  struct Source {
    int64_t stride; ///< elements from one position's row in a page to the next
    llvm::function_ref<Pointer(const Reader &reader, Number position)> row;
  };
  struct Inputs {
    /// Two neighbouring elements of a query, bf16 in an i32.
    llvm::function_ref<Number(Number token, Number head, Number column)> query;
    Source keys, values;
    /// The first position that a query at `position` sees; null if that is 0.
    llvm::function_ref<Number(Number position)> firstVisible = nullptr;
    /// Of gathered rows: the number of a token's last one, which then stands for its position.
    llvm::function_ref<Number(Number token)> lastGathered = nullptr;
  };
  /// Does `piece`, or if `takesAll`, all spans of its token and heads, of which it is then the first; for all threads of the block,
  /// with a barrier behind all that they store.
  void attend(Number piece, Number takesAll, const Inputs &inputs);

private:
  /// The query rows of a piece.
  struct Rows {
    Number keyHead, group;   ///< of its heads
    Number token, sequence;  ///< the first of its tokens
    Number position, tokens; ///< of the first, and how many there are
    Number lengthBits;       ///< of its spans
    Number spans;            ///< how many it has; none if the token is in another's tile
  };
  Rows rowsAt(Number piece, const Inputs &inputs);
  void attendToSpan(const Rows &rows, Number span, const Inputs &inputs);

  KernelFrame &frame;
  KernelBuilder &b;
  const Batch &batch;
  const Heads heads;
  const MatrixAttention::Shape shape;
  const QueryTile tile; ///< of one token where each has gathered rows of its own
  SpanSums &sums;
  const int64_t kind;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_SPANATTENTION_H
