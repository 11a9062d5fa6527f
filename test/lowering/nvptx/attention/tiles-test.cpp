// How attention deals out rows of queries and spans of positions.
#include "lowering/nvptx/attention/QueryTile.h"
#include "lowering/nvptx/attention/Spans.h"

#include <gtest/gtest.h>

using namespace moec::lowering::nvptx;

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

/// Lists have as many spans as rows, which double only if the shortest do not hold the longest list.
TEST(Spans, OfListsAreShortestWhereTheseHoldThem) {
  EXPECT_TRUE(Spans::forList(256, 16, 1).areShortest);
  EXPECT_TRUE(Spans::forList(256, 16, 4096).areShortest);
  EXPECT_EQ(Spans::forList(256, 16, 4096).doublings(int64_t(4095)), 0);
  EXPECT_FALSE(Spans::forList(256, 16, 4097).areShortest);
  EXPECT_FALSE(Spans::forList(256, 16, 0).areShortest);  // of any number of rows
  EXPECT_FALSE(Spans::forRows(256, 16, 40).areShortest); // which may be the last of many
}
