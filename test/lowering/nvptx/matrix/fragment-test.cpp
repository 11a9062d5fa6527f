// The places of matrix elements in fragments, against the formulas of the PTX manual for mma.m16n8k16.
#include "lowering/nvptx/matrix/Fragment.h"

#include <gtest/gtest.h>

using namespace moec::lowering::nvptx;

/// Row and column of element i of a lane's part of A: "row = groupID for ai where 0 <= i < 2 || 4 <= i < 6, groupID + 8 otherwise;
/// col = (threadID_in_group * 2) + (i & 0x1) for ai where i < 4, + 8 where i >= 4".
TEST(Fragment, LeftOperand) {
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t i = 0; i < 8; ++i) {
      int64_t row = lane / 4 + ((i < 2 || (i >= 4 && i < 6)) ? 0 : 8), column = lane % 4 * 2 + (i & 1) + (i < 4 ? 0 : 8);
      EXPECT_EQ(MatrixTile::placeInA(row, column), (FragmentPlace{lane, i}));
    }
}

/// "row = (threadID_in_group * 2) + (i & 0x1) for bi where i < 2, + 8 where i >= 2; col = groupID".
TEST(Fragment, RightOperand) {
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t i = 0; i < 4; ++i)
      EXPECT_EQ(MatrixTile::placeInB(lane % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8), lane / 4), (FragmentPlace{lane, i}));
}

/// "row = groupID for ci where i < 2, groupID + 8 where i >= 2; col = (threadID_in_group * 2) + (i & 0x1)".
TEST(Fragment, Accumulator) {
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t i = 0; i < 4; ++i) {
      int64_t row = lane / 4 + (i < 2 ? 0 : 8), column = lane % 4 * 2 + (i & 1);
      EXPECT_EQ(MatrixTile::accumulatorLane(row, column), lane);
      EXPECT_EQ(MatrixTile::accumulatorElement(row, column), i);
    }
}

/// What register `m` of `lane` receives of 16 rows of two chunks by ldmatrix: "lane 8 m + r addresses row r of matrix m; a thread
/// gets elements 2 (lane % 4) and the next of row lane / 4", of the transposed matrix with .trans. Returned as row and column in
/// memory.
static std::pair<int64_t, int64_t> loadedBy(MatrixLoad load, int64_t lane, int64_t matrix, int64_t element) {
  int64_t row = lane / 4, column = lane % 4 * 2 + element;
  if (load.transposed)
    std::swap(row, column);
  int64_t addressing = matrix * 8 + row;
  return {load.row(addressing), load.chunk(addressing) * 8 + column};
}

/// Loads of left operands put rows and steps of the depth where A has them.
TEST(MatrixLoad, LeftOperands) {
  for (auto [load, byDepth] : {std::pair(leftByRow, false), std::pair(leftByDepth, true)})
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t i = 0; i < 8; ++i) {
        auto [row, column] = loadedBy(load, lane, i / 2, i % 2);
        EXPECT_EQ(byDepth ? MatrixTile::placeInA(column, row) : MatrixTile::placeInA(row, column), (FragmentPlace{lane, i}));
      }
}

/// Loads of right operands put two tiles of eight columns where B has them, one after the other.
TEST(MatrixLoad, RightOperands) {
  for (auto [load, byDepth] : {std::pair(rightByColumn, false), std::pair(rightByDepth, true)})
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t i = 0; i < 8; ++i) {
        auto [row, column] = loadedBy(load, lane, i / 2, i % 2);
        if (!byDepth)
          std::swap(row, column);
        FragmentPlace place = MatrixTile::placeInB(row, column % 8);
        EXPECT_EQ((FragmentPlace{place.lane, column / 8 * 4 + place.element}), (FragmentPlace{lane, i}));
      }
}
