// How rows lie in shared memory.
#include "lowering/nvptx/matrix/SharedRows.h"

#include <gtest/gtest.h>

#include <set>

using namespace moec::lowering::nvptx;

/// The groups of four banks (16 of the 128 bytes that shared memory serves at once) of 8 chunks.
static size_t bankGroups(const SharedRows &layout, int64_t row, int64_t chunk, bool alongRow) {
  std::set<int64_t> groups;
  for (int64_t i = 0; i < 8; ++i)
    groups.insert(layout.place(alongRow ? row : row + i, alongRow ? chunk + i : chunk) % 128 / chunkBytes);
  return groups.size();
}

/// Eight rows of a matrix, and eight neighbouring chunks of a row, lie in different banks; rows do not overlap.
TEST(SharedRows, NoBankConflicts) {
  for (int64_t width = 8; width <= 640; width += 8) {
    SharedRows layout = SharedRows::ofWidth(24, width);
    EXPECT_GE(layout.chunks * chunkElements, width);
    EXPECT_EQ(layout.chunks % 2, 0);
    EXPECT_GE(layout.place<int64_t>(1, 0), layout.place<int64_t>(0, layout.chunks));
    EXPECT_EQ(layout.place<int64_t>(layout.rows, 0), layout.bytes());
    for (int64_t row = 0; row < 16; ++row)
      for (int64_t chunk = 0; chunk < layout.chunks; ++chunk) {
        EXPECT_EQ(bankGroups(layout, row, chunk, false), 8u) << width;
        EXPECT_EQ(bankGroups(layout, row, chunk, true), 8u) << width;
      }
  }
}

/// What 32 lanes read, four to a row, of a chunk, half of one, or a quarter of one each, in as few turns as 128 bytes allow.
TEST(PermutedRows, NoBankConflicts) {
  for (int64_t bytes : {4, 8, 16}) {
    const int64_t lanesOfChunk = chunkBytes / bytes, lanesOfTurn = 128 / bytes;
    for (int64_t firstChunk = 0; firstChunk < PermutedRows::chunks; firstChunk += 4 / lanesOfChunk)
      for (int64_t firstLane = 0; firstLane < 32; firstLane += lanesOfTurn) {
        std::set<int64_t> banks;
        for (int64_t lane = firstLane; lane < firstLane + lanesOfTurn; ++lane) {
          int64_t place = PermutedRows::place(lane / 4, firstChunk + lane % 4 / lanesOfChunk) + lane % lanesOfChunk * bytes;
          for (int64_t byte = 0; byte < bytes; byte += 4)
            banks.insert((place + byte) % 128 / 4);
        }
        EXPECT_EQ(banks.size(), 32u) << bytes << " bytes, lane " << firstLane;
      }
  }
  std::set<int64_t> places;
  for (int64_t row = 0; row < 16; ++row)
    for (int64_t chunk = 0; chunk < PermutedRows::chunks; ++chunk)
      places.insert(PermutedRows::place(row, chunk) / chunkBytes);
  EXPECT_EQ(places.size(), 64u);
  EXPECT_EQ(*places.rbegin(), 63);
}
