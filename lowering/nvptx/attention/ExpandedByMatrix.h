// Latent attention by matrix units with keys and values of the heads, for a sequence's first positions: two stages of a launch.
//
// Keys and values of the positions that are attended to are made first, once a step: a block has the weight of some of a head's
// columns in shared memory and takes pages of positions in turn. Then tiles of a head's queries attend to them.
//
// Whether a token is computed so depends on its position alone: its result is then the same however a prompt is cut. A few new
// tokens behind a cached context pay for all of its keys and values, which is what the limit of positions bounds; behind it they
// attend to the latents.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_EXPANDEDBYMATRIX_H
#define MOEC_LOWERING_NVPTX_ATTENTION_EXPANDEDBYMATRIX_H

#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/attention/MatrixAttention.h"
#include "lowering/nvptx/products/StagedProduct.h"
#include "lowering/plan/Schedule.h"

namespace moec::lowering::nvptx {

class ExpandedByMatrix {
public:
  /// Tokens at positions below so many are computed so.
  static constexpr int64_t mostPositions = 1024;
  /// What keys and values take at most, of as many sequences as a step may have: where they would take more, positions are fewer.
  static constexpr int64_t mostBytes = 512 << 20;

  /// For blocks of so many `warps`; nothing if sizes, memory or the program's steps do not suit it. Comes before what is allocated
  /// for rows.
  static std::optional<ExpandedByMatrix> create(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes,
                                                double scale, int64_t warps);

  /// Whether a token is computed otherwise.
  Number leaves(Number token) { return (operands.batch.positions + token).loadIndex() >= layout.limit; }

  /// Blocks that make keys and values, each of which takes every so many-th page of positions.
  Number makingBlocks() { return groups() * columnPieces(); }
  void make(Number block);
  /// Pieces of attention, some of which may be empty.
  Number attentionPieces() { return ((frame.tokens + (rowsOfTile() - 1)) / rowsOfTile() + frame.sequences) * sizes.heads; }
  void attend(Number piece);
  /// No step has more of both than the sum of so many, and of so many for every page of tokens that has begun.
  int64_t mostPieces() const { return columnPieces() + layout.sequences * sizes.heads; }
  int64_t mostPiecesOfPage() const { return columnPieces() + pageSize / std::min(rowsOfTile(), pageSize) * sizes.heads; }

private:
  struct Layout {
    int64_t limit = 0, sequences = 0;           ///< positions of a sequence, sequences
    int64_t productTiles = 0, productParts = 0; ///< of the products that make keys and values
    int64_t rowTiles = 0;                       ///< of a tile of queries
  };
  ExpandedByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes,
                   const MatrixAttention::Shape &shape, const Layout &layout);

  /// Those of a sequence's new tokens that are computed so.
  struct Tokens {
    Number first, position, count;
  };
  /// Keys or values.
  struct Rows {
    Pointer base;
    int64_t width;
    Pointer of(const ExpandedByMatrix &all, Number sequence, Number head) const {
      return base + (sequence * all.sizes.heads + head) * (all.layout.limit * width);
    }
  };

  Tokens tokensOf(Number sequence);
  Number positionsOf(Number sequence);
  static Number pagesOf(Number positions) { return (positions + (pageSize - 1)) / pageSize; }
  int64_t piecesOf(int64_t columns) const;
  int64_t piecesOfHead() const { return piecesOf(sizes.nope) + piecesOf(sizes.value); }
  int64_t columnPieces() const { return sizes.heads * piecesOfHead(); }
  Number groups() { return pagesOf(frame.tokens) + 1; } ///< of blocks with all columns
  int64_t threads() const { return MatrixAttention::threadsOf(layout.rowTiles, shape.parts); }
  int64_t rowsOfTile() const { return layout.rowTiles * MatrixTile::rows; }
  void makeColumns(Number group, Number head, Number piece, const Weight &weight, const Rows &rows, int64_t columns);
  void copyRotary(Pointer cached, Pointer made, Number positions);

  KernelFrame &frame;
  KernelBuilder &b;
  const LatentOperands &operands;
  const LatentSizes &sizes;
  const MatrixAttention::Shape shape;
  const Layout layout;
  Pointer keys, values; ///< bf16 [sequences, heads, limit, width]
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_EXPANDEDBYMATRIX_H
