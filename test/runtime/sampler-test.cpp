// Choosing the next token.
#include "runtime/sampling/Sampler.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>

using namespace moec::runtime;

namespace {
std::map<int32_t, int> histogram(const SamplingOptions &options, const std::vector<float> &logits, int draws) {
  Sampler sampler(logits.size());
  Draws how(options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i)
    ++counts[sampler.choose(logits, how.next())];
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
  Sampler sampler(logits.size());
  Draws a({1, 0, 1, 5}), b({1, 0, 1, 5}), c({1, 0, 1, 6});
  std::vector<int32_t> x, y, z;
  for (int i = 0; i < 50; ++i) {
    x.push_back(sampler.choose(logits, a.next()));
    y.push_back(sampler.choose(logits, b.next()));
    z.push_back(sampler.choose(logits, c.next()));
  }
  EXPECT_EQ(x, y);
  EXPECT_NE(x, z);
  EXPECT_EQ((std::vector<int32_t>{x.begin(), x.begin() + 3}), (std::vector<int32_t>{38, 75, 23})); // the same on every machine
}

/// Draws against probabilities, which were worked out by hand; within five standard deviations.
void expectShares(const SamplingOptions &options, const std::vector<float> &logits, const std::map<int32_t, double> &shares) {
  constexpr int draws = 40000;
  std::map<int32_t, int> counts = histogram(options, logits, draws);
  for (auto [id, count] : counts)
    EXPECT_TRUE(shares.count(id)) << "token " << id << " has no probability";
  for (auto [id, share] : shares)
    EXPECT_NEAR(counts[id], share * draws, 5 * std::sqrt(draws * share * (1 - share))) << "token " << id;
}

TEST(Sampler, givesTheProbabilitiesOfTheSoftmax) {
  std::vector<float> odds{std::log(1.0f), std::log(4.0f), std::log(2.0f), std::log(3.0f)};
  expectShares({1.0, 0, 1.0, 11}, odds, {{0, 0.1}, {1, 0.4}, {2, 0.2}, {3, 0.3}});
  expectShares({0.5, 0, 1.0, 12}, odds, {{0, 1.0 / 30}, {1, 16.0 / 30}, {2, 4.0 / 30}, {3, 9.0 / 30}}); // squares: 1, 16, 4, 9
  expectShares({1e9, 0, 1.0, 13}, odds, {{0, 0.25}, {1, 0.25}, {2, 0.25}, {3, 0.25}});
  expectShares({INFINITY, 0, 1.0, 13}, odds, {{0, 0.25}, {1, 0.25}, {2, 0.25}, {3, 0.25}});
}

TEST(Sampler, sharesWhatTopKAndTopPLeave) {
  std::vector<float> odds{std::log(1.0f), std::log(4.0f), std::log(2.0f), std::log(3.0f)}; // 0.1, 0.4, 0.2, 0.3
  expectShares({1.0, 3, 1.0, 21}, odds, {{1, 4.0 / 9}, {3, 3.0 / 9}, {2, 2.0 / 9}});
  expectShares({1.0, 0, 0.69, 22}, odds, {{1, 4.0 / 7}, {3, 3.0 / 7}});               // 0.4 + 0.3 reach it
  expectShares({1.0, 0, 0.71, 23}, odds, {{1, 4.0 / 9}, {3, 3.0 / 9}, {2, 2.0 / 9}}); // and here do not
  expectShares({1.0, 2, 0.5, 24}, odds, {{1, 1.0}});                                  // top-p is of what top-k leaves: 4/7 alone
  expectShares({1.0, 2, 0.6, 25}, odds, {{1, 4.0 / 7}, {3, 3.0 / 7}});
  expectShares({1.0, 100, 1.0, 26}, odds, {{0, 0.1}, {1, 0.4}, {2, 0.2}, {3, 0.3}});
}

TEST(Sampler, takesTheLowestIdsOfEqualOnes) {
  std::vector<float> equal(5, 2.0f);
  expectShares({1.0, 2, 1.0, 31}, equal, {{0, 0.5}, {1, 0.5}});
  expectShares({1.0, 0, 0.6, 32}, equal, {{0, 1.0 / 3}, {1, 1.0 / 3}, {2, 1.0 / 3}});
  expectShares({1.0, 1, 1.0, 33}, equal, {{0, 1.0}});
}

TEST(Sampler, isGreedyAtTinyTemperatures) {
  for (double temperature : {1e-3, 1e-30, 1e-308, 5e-324, 0.0, -1.0, double(NAN)})
    expectShares({temperature, 0, 1.0, 41}, {1.0f, 3.0f, 2.5f}, {{1, 1.0}});
}

TEST(Sampler, choosesAmongInfinities) {
  expectShares({1, 0, 1, 51}, {-INFINITY, 0, -INFINITY, 0}, {{1, 0.5}, {3, 0.5}});
  expectShares({INFINITY, 0, 1, 52}, {-INFINITY, 0, -INFINITY, 0}, {{1, 0.5}, {3, 0.5}});
  expectShares({1, 0, 1, 53}, {5, INFINITY, NAN, INFINITY}, {{1, 1.0}});
  expectShares({1, 0, 1, 54}, {-INFINITY, -INFINITY}, {{0, 1.0}});
  expectShares({1, 3, 0.9, 55}, {NAN, -INFINITY, -7}, {{2, 1.0}});
}

TEST(Sampler, neverChoosesWhatIsNoNumber) {
  EXPECT_EQ(histogram({1, 0, 1, 0}, {NAN, 1, NAN}, 100), (std::map<int32_t, int>{{1, 100}}));
  EXPECT_EQ(histogram({1, 0, 1, 0}, {NAN, NAN}, 3), (std::map<int32_t, int>{{0, 3}}));
}
} // namespace
