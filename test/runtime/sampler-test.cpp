// Choosing the next token.
#include "runtime/sampling/Sampler.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>

using namespace moec::runtime;

namespace {
std::map<int32_t, int> histogram(const SamplingOptions &options, const std::vector<float> &logits, int draws) {
  Sampler sampler(logits.size(), options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i)
    ++counts[sampler.sample(logits)];
  return counts;
}

TEST(Sampler, greedyTakesTheLowestOfEqualIds) {
  EXPECT_EQ(largestLogit(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(largestLogit(std::vector<float>{NAN, -2, NAN, -1}), 3);
  EXPECT_EQ(largestLogit(std::vector<float>{-INFINITY, -INFINITY}), 0);
}

TEST(Sampler, followsTheSoftmaxOfTheTemperature) {
  std::vector<float> logits{0, std::log(2.0f), std::log(5.0f)};
  std::map<int32_t, int> counts = histogram({1.0, 0, 1.0, 1}, logits, 80000);
  EXPECT_NEAR(counts[0], 10000, 500);
  EXPECT_NEAR(counts[1], 20000, 600);
  EXPECT_NEAR(counts[2], 50000, 700);
  counts = histogram({0.5, 0, 1.0, 1}, logits, 30000); // squares the odds: 1, 4, 25
  EXPECT_NEAR(counts[2], 25000, 500);
}

TEST(Sampler, keepsTheLikeliest) {
  std::vector<float> logits{0, 1, 2, 3};
  EXPECT_EQ(histogram({1.0, 2, 1.0, 3}, logits, 1000).size(), 2u);
  EXPECT_EQ(histogram({1.0, 1, 1.0, 3}, logits, 100), (std::map<int32_t, int>{{3, 100}}));
  EXPECT_EQ(histogram({1.0, 0, 0.6, 3}, logits, 100), (std::map<int32_t, int>{{3, 100}})); // 3 alone has 0.64
  EXPECT_EQ(histogram({1.0, 0, 0.7, 3}, logits, 1000).size(), 2u);
  EXPECT_EQ(histogram({1.0, 0, 0.0, 3}, logits, 100), (std::map<int32_t, int>{{3, 100}}));
}

TEST(Sampler, repeatsItselfBySeed) {
  std::vector<float> logits(100, 0);
  Sampler a(100, {1, 0, 1, 5}), b(100, {1, 0, 1, 5}), c(100, {1, 0, 1, 6});
  std::vector<int32_t> x, y, z;
  for (int i = 0; i < 50; ++i) {
    x.push_back(a.sample(logits));
    y.push_back(b.sample(logits));
    z.push_back(c.sample(logits));
  }
  EXPECT_EQ(x, y);
  EXPECT_NE(x, z);
  EXPECT_EQ((std::vector<int32_t>{x.begin(), x.begin() + 3}), (std::vector<int32_t>{38, 75, 23})); // the same on every machine
}

TEST(Sampler, neverChoosesWhatIsNoNumber) {
  EXPECT_EQ(histogram({1, 0, 1, 0}, {NAN, 1, NAN}, 100), (std::map<int32_t, int>{{1, 100}}));
  EXPECT_EQ(histogram({1, 0, 1, 0}, {NAN, NAN}, 3), (std::map<int32_t, int>{{0, 3}}));
}
} // namespace
