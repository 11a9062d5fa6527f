// The places of matrix elements in fragments, against the formulas of the PTX manual for mma.m16n8k16.
#include "lowering/nvptx/Fragment.h"

#include <gtest/gtest.h>

using moec::lowering::nvptx::FragmentPlace;
using moec::lowering::nvptx::MatrixTile;

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
