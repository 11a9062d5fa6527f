// How rows lie in shared memory so that matrix units' operands are read, and copies written, without bank conflicts.
#ifndef MOEC_LOWERING_NVPTX_MATRIX_SHAREDROWS_H
#define MOEC_LOWERING_NVPTX_MATRIX_SHAREDROWS_H

#include <cstdint>

namespace moec::lowering::nvptx {

/// What one lane moves at once: 8 bf16, a row of the 8x8 matrices that ldmatrix loads.
inline constexpr int64_t chunkBytes = 16, chunkElements = 8;

/// Rows of chunks, an odd number of chunks apart: any 8 neighbouring rows then have their chunks of one column in different groups
/// of four banks, as have any 8 neighbouring chunks of a row.
struct SharedRows {
  int64_t rows;
  int64_t chunks; ///< of a row: even, as a step of the depth is two

  /// For rows of `width` elements, a multiple of a chunk's; what is behind them must be written as zeros.
  static constexpr SharedRows ofWidth(int64_t rows, int64_t width) {
    return {rows, (width + 2 * chunkElements - 1) / (2 * chunkElements) * 2};
  }

  constexpr int64_t stride() const { return (chunks | 1) * chunkBytes; }
  constexpr int64_t bytes() const { return rows * stride(); }
  /// Steps of the depth that a row holds.
  constexpr int64_t steps() const { return chunks / 2; }
  /// The byte at which a chunk begins. A template, so that indices may be numbers of a kernel that is being written.
  template <typename Index> constexpr Index place(Index row, Index chunk) const { return row * stride() + chunk * chunkBytes; }
};

/// Rows of four chunks side by side, whose chunks are permuted: what the lanes of a warp read of neighbouring rows, four to a row,
/// lies in different banks, whether a lane reads a chunk, or half or a quarter of one, its neighbours the rest.
struct PermutedRows {
  static constexpr int64_t chunks = 4, stride = chunks * chunkBytes;

  template <typename Index> static constexpr Index place(Index row, Index chunk) {
    return row * stride + (chunk ^ (row % 4 / 2 * 2 + row % 8 / 4)) * chunkBytes;
  }
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_MATRIX_SHAREDROWS_H
