// When tiles pay: what the cost model says of sizes of released models, and what has to hold of any.
#include "lowering/nvptx/products/ProductCost.h"

#include <gtest/gtest.h>

using namespace moec::lowering::nvptx;

static const Machine &machineOfProducts = findTarget("sm_80")->machine;
static constexpr int64_t anyRows = 8192;

static std::optional<int64_t> from(std::vector<ProductSizes> products, int64_t mostRows = anyRows) {
  return tilesFrom(products, mostRows, machineOfProducts);
}

/// 2,048 columns of 2,048 numbers, by hand.
TEST(ProductCost, BlocksWavesAndBytes) {
  ProductCosts costs = costsOf(ProductSizes{.columns = 2048, .width = 2048, .bytesOfWeight = 2}, 64, machineOfProducts);
  EXPECT_EQ(costs.narrow.blocks, 128);
  EXPECT_EQ(costs.narrow.waves, 1); // two blocks at once on each of 108
  EXPECT_EQ(costs.narrow.bytes, 128 * (2 * 16 * 4096. + 64 * 8192.));
  EXPECT_NEAR(costs.narrow.microseconds, 128 * (2 * 16 * 4096. + 64 * 8192.) / machineOfProducts.cacheBandwidth, 1e-9);
  EXPECT_EQ(costs.tiles.blocks, 16);
  EXPECT_EQ(costs.tiles.waves, 1);
  EXPECT_EQ(costs.tiles.bytes, 16 * (128 * 4096. + 64 * 8192.));
  EXPECT_EQ(costs.tiles.microseconds, (2048 / 32 + 2) * 0.5);
}

TEST(ProductCost, WideProductsAreCutIntoTilesEarly) {
  // As soon as weights would be read twice.
  EXPECT_EQ(from({{.columns = 11008, .width = 2048, .bytesOfWeight = 2}}), 33);
  // Sixteen tiles do not fill a GPU; five less so.
  std::optional<int64_t> square = from({{.columns = 2048, .width = 2048, .bytesOfWeight = 2}}),
                         few = from({{.columns = 576, .width = 2048, .bytesOfWeight = 2}});
  ASSERT_TRUE(square && few);
  EXPECT_GT(*square, 64);
  EXPECT_LE(*square, 128);
  EXPECT_GT(*few, *square);
}

/// Most of a tile would be empty.
TEST(ProductCost, FewColumnsStayNarrow) { EXPECT_EQ(from({{.columns = 8, .width = 2048, .bytesOfWeight = 2}}), std::nullopt); }

TEST(ProductCost, ShortStepsHaveNoTiles) {
  const ProductSizes wide{.columns = 11008, .width = 2048, .bytesOfWeight = 2};
  EXPECT_EQ(from({wide}, 1), std::nullopt);
  EXPECT_EQ(from({wide}, 32), std::nullopt);
  EXPECT_EQ(from({wide}, 33), 33);
}

/// Six of 64: tiles pay when an expert has about a third of a tile's rows.
TEST(ProductCost, ExpertsShareTheTokens) {
  const ProductSizes routed{.columns = 1408, .width = 2048, .bytesOfWeight = 2, .groups = 2, .planes = 64, .chosenPlanes = 6};
  std::optional<int64_t> tokens = from({routed});
  ASSERT_TRUE(tokens);
  EXPECT_GT(*tokens * 6 / 64, 10);
  EXPECT_LT(*tokens * 6 / 64, 40);
  // All of the experts are chosen: each token meets each.
  ProductSizes all = routed;
  all.chosenPlanes = 64;
  EXPECT_EQ(from({all}), 33);
}

/// From the number on tiles pay for every step, and just below it they do not.
TEST(ProductCost, IsWhereTheCostsCross) {
  for (int64_t columns : {48, 576, 1000, 2048, 5000})
    for (int64_t width : {64, 200, 1408, 7168})
      for (double bytes : {0.5, 1., 2.}) {
        const ProductSizes sizes{.columns = columns, .width = width, .bytesOfWeight = bytes};
        auto tilesPay = [&](int64_t rows) {
          ProductCosts costs = costsOf(sizes, rows, machineOfProducts);
          return costs.tiles.microseconds < costs.narrow.microseconds;
        };
        std::optional<int64_t> rows = from({sizes}, 2000);
        if (!rows) {
          EXPECT_FALSE(tilesPay(2000));
          continue;
        }
        EXPECT_TRUE(*rows == 33 || !tilesPay(*rows - 1)) << columns << " x " << width;
        for (int64_t more = *rows; more <= 2000; ++more)
          ASSERT_TRUE(tilesPay(more)) << columns << " x " << width << " with " << more;
      }
}
