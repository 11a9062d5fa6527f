// Which lane holds which element of the tiles that a warp's matrix units multiply: D [16, 8] = A [16, 16] B [16, 8] + C.
//
// From the PTX manual, "Matrix Fragments for mma.m16n8k16 with floating point type". A register holds two elements of A or B, or
// one of C and D.
#ifndef MOEC_LOWERING_NVPTX_MATRIX_FRAGMENT_H
#define MOEC_LOWERING_NVPTX_MATRIX_FRAGMENT_H

#include <cstdint>

namespace moec::lowering::nvptx {

/// Element `element` of those that `lane` holds, in order of its registers.
struct FragmentPlace {
  int64_t lane, element;
  friend constexpr bool operator==(FragmentPlace, FragmentPlace) = default;
};

struct MatrixTile {
  static constexpr int64_t rows = 16, columns = 8, depth = 16;

  static constexpr FragmentPlace placeInA(int64_t row, int64_t k) {
    return {row % 8 * 4 + k % 8 / 2, k / 8 * 4 + row / 8 * 2 + k % 2};
  }
  static constexpr FragmentPlace placeInB(int64_t k, int64_t column) { return {column * 4 + k % 8 / 2, k / 8 * 2 + k % 2}; }
  /// Of C and D. A template, so that indices may be numbers of a kernel that is being written.
  template <typename Index> static constexpr Index accumulatorLane(Index row, Index column) { return row % 8 * 4 + column / 2; }
  template <typename Index> static constexpr Index accumulatorElement(Index row, Index column) { return row / 8 * 2 + column % 2; }
};

/// How a warp loads four 8x8 matrices from 16 rows of two chunks (8 elements) each, so that they arrive as operands. From the PTX
/// manual, "ldmatrix": lane 8 m + r says where row r of matrix m is; register m then holds its part of matrix m, two neighbours of
/// a row, or of a column where the matrices are transposed on the way.
struct MatrixLoad {
  bool chunksFirst; ///< matrices 0 and 1 are the two chunks of the upper 8 rows; else the upper and lower rows of the first chunk
  bool transposed;

  template <typename Index> constexpr Index row(Index lane) const { return chunksFirst ? lane / 16 * 8 + lane % 8 : lane % 16; }
  template <typename Index> constexpr Index chunk(Index lane) const { return chunksFirst ? lane / 8 % 2 : lane / 16; }
};

/// One A whose rows are rows in memory, or whose steps of the depth are.
inline constexpr MatrixLoad leftByRow{false, false}, leftByDepth{true, true};
/// Two neighbouring B whose columns are rows in memory, or whose steps of the depth are: registers 0 and 1, 2 and 3.
inline constexpr MatrixLoad rightByColumn{true, false}, rightByDepth{false, true};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_MATRIX_FRAGMENT_H
