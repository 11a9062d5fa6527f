// Which rows of queries a block takes: the heads that share keys, of as many tokens of a sequence as fit.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_QUERYTILE_H
#define MOEC_LOWERING_NVPTX_ATTENTION_QUERYTILE_H

#include "lowering/nvptx/matrix/Fragment.h"

#include <algorithm>
#include <bit>

namespace moec::lowering::nvptx {

struct QueryTile {
  int64_t rowTiles; ///< of 16 rows
  int64_t groups;   ///< blocks that the heads are dealt out over
  int64_t heads;    ///< of a block; the last one may have fewer
  int64_t tokens;   ///< of a block, a power of two: neighbours of one sequence, the first at a multiple of so many positions

  /// For `heads` that share keys; at most `mostTiles` tiles.
  static constexpr QueryTile of(int64_t heads, int64_t mostTiles) {
    int64_t tiles = std::min(mostTiles, (heads + MatrixTile::rows - 1) / MatrixTile::rows);
    int64_t groups = (heads + tiles * MatrixTile::rows - 1) / (tiles * MatrixTile::rows), ofGroup = (heads + groups - 1) / groups;
    return {tiles, groups, ofGroup, int64_t(std::bit_floor(uint64_t(tiles * MatrixTile::rows / ofGroup)))};
  }

  constexpr int64_t rows() const { return rowTiles * MatrixTile::rows; }
  /// Templates, so that a row may be a number of a kernel that is being written.
  template <typename Index> constexpr Index tokenOf(Index row) const { return row / heads; }
  template <typename Index> constexpr Index headOf(Index row) const { return row % heads; }
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_QUERYTILE_H
