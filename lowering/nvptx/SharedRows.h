// How rows of bf16 lie in shared memory so that matrix units read them, and copies write them, without bank conflicts.
#ifndef MOEC_LOWERING_NVPTX_SHAREDROWS_H
#define MOEC_LOWERING_NVPTX_SHAREDROWS_H

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

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_SHAREDROWS_H
