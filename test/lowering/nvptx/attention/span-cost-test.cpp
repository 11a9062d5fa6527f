// How many spans a long context gets.
#include "lowering/nvptx/attention/SpanCost.h"

#include <gtest/gtest.h>

using namespace moec::lowering::nvptx;

static const Machine &machineOfSpans = findTarget("sm_80")->machine;

/// Latent attention of so many heads over rows of 576 bf16; a block has 32 heads.
static SpanSizes latent(int64_t heads) {
  return {.blocks = (heads + 31) / 32, .bytesOfRow = 1152, .bytesOfSums = heads * 514 * 4, .mostSpans = 1000};
}

static int64_t most(const SpanSizes &sizes, int64_t positions, int64_t rows = 8) {
  return mostSpans(sizes, 512, positions, rows, machineOfSpans);
}

/// One span of 4,096 positions by hand: 64 pages one after the other, then one span is added.
TEST(SpanCost, StepsAndBytes) {
  Cost cost = costOf(latent(16), {512, 1}, 4096, machineOfSpans);
  EXPECT_EQ(cost.blocks, 1 + 1);
  EXPECT_EQ(cost.bytes, 4096 * 1152. + 2 * 16 * 514 * 4.);
  EXPECT_NEAR(cost.microseconds, 1 + 64 * 0.5 + 1 + 0.25, 1e-9);
}

TEST(SpanCost, LongContextsAreCut) {
  EXPECT_EQ(most(latent(16), 512), 1); // the shortest span has them all
  EXPECT_GT(most(latent(16), 163840), most(latent(16), 4096));
  double cut = costOf(latent(16), {512, most(latent(16), 163840)}, 163840, machineOfSpans).microseconds,
         whole = costOf(latent(16), {512, 1}, 163840, machineOfSpans).microseconds;
  EXPECT_LT(cut * 10, whole);
}

/// More spans than keep memory busy only take longer to add up.
TEST(SpanCost, NoMoreThanKeepMemoryBusy) {
  double reads = 163840 * 1152. / machineOfSpans.memoryBandwidth;
  for (int64_t heads : {16, 128}) {
    int64_t chosen = most(latent(heads), 163840);
    EXPECT_LT(chosen, 128);
    EXPECT_LT(costOf(latent(heads), {512, chosen}, 163840, machineOfSpans).microseconds, 1.2 * reads);
  }
}

TEST(SpanCost, MemoryBoundsThem) {
  int64_t unbounded = most(latent(128), 163840, 1);
  EXPECT_LE(most(latent(128), 163840, 64) * latent(128).bytesOfSums * 64, 512 << 20);
  EXPECT_LT(most(latent(128), 163840, 1024), unbounded);
  EXPECT_EQ(most(latent(128), 163840, int64_t(1) << 40), usualSpans);
  SpanSizes little = latent(16);
  little.mostSpans = 5;
  EXPECT_EQ(most(little, 163840), 4);
}
