// How attention lays out rows in shared memory and deals out rows of queries and spans of positions.
#include "lowering/nvptx/QueryTile.h"
#include "lowering/nvptx/SharedRows.h"
#include "lowering/nvptx/Spans.h"

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

/// Every head has a block and a row of it, in no more rows than there are; a block takes as many tokens as fit.
TEST(QueryTile, CoversHeads) {
  for (int64_t most = 1; most <= 2; ++most)
    for (int64_t heads = 1; heads <= 130; ++heads) {
      QueryTile tile = QueryTile::of(heads, most);
      EXPECT_LE(tile.rowTiles, most);
      EXPECT_GE(tile.groups * tile.heads, heads);
      EXPECT_LT((tile.groups - 1) * tile.heads, heads);
      EXPECT_LE(tile.tokens * tile.heads, tile.rows());
      EXPECT_GT(tile.tokens * 2 * tile.heads, tile.rows());
      EXPECT_TRUE(std::has_single_bit(uint64_t(tile.tokens))); // so that it divides spans
      for (int64_t row = 0; row < tile.tokens * tile.heads; ++row)
        EXPECT_EQ(tile.tokenOf(row) * tile.heads + tile.headOf(row), row);
    }
}

/// A token has at most so many spans, the last one holds its position, and lengths are the shortest that do.
TEST(Spans, ReachThePosition) {
  for (Spans spans : {Spans{64, 1}, Spans{512, 16}, Spans{128, 6}})
    for (int64_t position = 0; position < 100000; position += position < 2000 ? 1 : 61) {
      int64_t length = spans.lengthAt(position);
      EXPECT_LT(position / length, spans.most);
      EXPECT_EQ(length % spans.shortest, 0);
      if (length > spans.shortest)
        EXPECT_GE(position / (length / 2), spans.most);
    }
}

/// Of few rows there are no more spans than these can fill, so that nothing is kept for others.
TEST(Spans, AreAsManyAsRowsFill) {
  EXPECT_EQ(Spans::forRows(256, 16, 0).most, 16); // of any number of rows
  EXPECT_EQ(Spans::forRows(256, 16, 1).most, 1);
  EXPECT_EQ(Spans::forRows(256, 16, 256).most, 1);
  EXPECT_EQ(Spans::forRows(256, 16, 257).most, 2);
  EXPECT_EQ(Spans::forRows(256, 16, 1024).most, 4);
  EXPECT_EQ(Spans::forRows(256, 16, int64_t(1) << 62).most, 16);
  EXPECT_EQ(Spans::forRows(512, 1, 4096).most, 1);
}
