// Choosing tokens, against the reference evaluator and against the runtime's own choice.
#include "SampledTokens.h"

#include "runtime/sampling/Sampler.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace moec;
using namespace moec::test;
using runtime::SamplingOptions;
using runtime::SamplingWords;

/// That all choose the same of rows of logits, each with every one of `options`.
static void expectAlike(const std::vector<std::vector<float>> &rows, const std::vector<SamplingOptions> &options) {
  std::vector<SamplingWords> settings;
  std::vector<int64_t> outputs;
  Tensor logits({int64_t(rows.size() * options.size()), int64_t(rows.front().size())});
  std::vector<uint32_t> expected;
  runtime::Sampler sampler(rows.front().size());
  for (const std::vector<float> &row : rows)
    for (const SamplingOptions &option : options) {
      std::copy(row.begin(), row.end(), logits.row(int64_t(settings.size())).begin());
      outputs.push_back(int64_t(settings.size()));
      settings.push_back(runtime::samplingWords(option, settings.size()));
      expected.push_back(uint32_t(sampler.choose(row, settings.back())));
    }
  KernelRun run(sampledTokens(rows.front().size()));
  run.setStep({{0, int64_t(settings.size())}}, outputs);
  run.give(0, logits);
  run.give(1, tensorOf(settings));
  run.makeUp(0);
  run.expectAsEvaluated(0);
  for (const std::vector<Bits> &chosen : run.runAll())
    EXPECT_EQ(chosen.front(), expected);
}

static const std::vector<SamplingOptions> manyOptions = {
    {},           {1, 0, 1, 1},    {0.7, 5, 1, 2},         {1.3, 0, 0.9, 3},    {0.9, 7, 0.5, 4},  {2, 1, 1, 5}, {1, 0, 1e-12, 6},
    {1e-6, 0, 1}, {50, 0, 0.3, 7}, {1, 1000000, 0.999, 8}, {INFINITY, 3, 1, 9}, {1, 2, 0.9999, 10}};

static std::vector<float> madeUp(size_t vocabulary, double spread, uint64_t seed) {
  std::vector<float> logits;
  for (size_t id = 0; id < vocabulary; ++id) {
    uint64_t bits = (id + 1 + seed * 1000003) * 0x9e3779b97f4a7c15u;
    bits = (bits ^ (bits >> 31)) * 0xbf58476d1ce4e5b9u;
    logits.push_back(float(spread * (double(bits >> 40) * 0x1p-24 - 0.5)));
  }
  return logits;
}

/// Vocabularies below and above a vector, a warp, a block of threads and what is searched at once; multiples of a vector or not.
TEST(Sample, VocabulariesOfAnySize) {
  for (size_t vocabulary : {1, 2, 7, 64})
    expectAlike({madeUp(vocabulary, 12, 1), madeUp(vocabulary, 200, 2)}, manyOptions);
  const std::vector<SamplingOptions> few = {{}, {1, 0, 1, 1}, {0.8, 40, 0.95, 2}};
  expectAlike({madeUp(1027, 12, 3)}, few);
  expectAlike({madeUp(4100, 0.01, 4)}, few);
}

/// Searches that leave more ids than a block lists, or fewer, or of which the number is not known beforehand.
TEST(Sample, ManyLeftAndFew) {
  const std::vector<SamplingOptions> options = {{1, 3000, 1, 1},  {1, 3000, 0.5, 2}, {1, 0, 0.999, 3},
                                                {0.5, 0, 0.9, 4}, {1, 50, 0.9, 5},   {1e30, 0, 0.4, 6}};
  expectAlike({madeUp(4100, 0.01, 4), madeUp(4100, 60, 5)}, options);
  expectAlike({madeUp(64, 3, 6)}, {{1, 40, 1, 1}, {1, 40, 0.8, 2}, {3e38, 0, 0.8, 3}}); // more than threads
}

/// Where a float's place is wider than what weights differ by.
TEST(Sample, LargeLogits) {
  std::vector<float> large = madeUp(300, 12, 7), larger;
  for (float &logit : large)
    larger.push_back(1e8f + logit * 8);
  for (float &logit : large)
    logit = 1e30f * (1 + logit);
  expectAlike({large, larger}, {{1, 0, 0.9, 1}, {8, 0, 0.9, 2}, {100, 0, 0.5, 3}, {1e30, 0, 0.7, 4}, {3, 20, 0.9, 5}});
}

TEST(Sample, EqualLogits) {
  std::vector<float> same(50, 1.5f), steps;
  for (int id = 0; id < 50; ++id)
    steps.push_back(float(id / 10 % 3));
  expectAlike({same, steps}, manyOptions);
}

TEST(Sample, WhatIsNoNumberOrInfinite) {
  constexpr float none = NAN, most = INFINITY, least = -INFINITY;
  expectAlike({{none, 1, none, 0.5f, least, 1},
               {none, none, none, none, none, none},
               {least, least, least, least, least, least},
               {none, least, least, none, none, none},
               {0, most, none, most, least, 1},
               {-0.0f, 0.0f, -0.0f, least, none, -1e-45f},
               {3e38f, -3e38f, 3e38f, 1, 2, none}},
              manyOptions);
}

TEST(Sample, NothingWhereNothingIsWanted) {
  KernelRun run(sampledTokens(9));
  run.setStep({{0, 4}}, {1, 3});
  run.give(1, tensorOf({{}, {SamplingWords::largest, 0, 0, 0, 0}}));
  run.makeUp(1);
  run.expectAsEvaluated(0);
  for (const std::vector<Bits> &chosen : run.runAll())
    EXPECT_EQ(int32_t(chosen.front().front()), -1);
}

/// Every id where random numbers run through all there are, as often as it weighs.
TEST(Sample, DrawsInProportion) {
  std::vector<float> logits{std::log(1.0f), std::log(4.0f), std::log(2.0f), std::log(3.0f)};
  constexpr int draws = 100;
  std::vector<SamplingWords> settings;
  std::vector<int64_t> outputs;
  Tensor rows({draws, 4});
  for (int i = 0; i < draws; ++i) {
    std::copy(logits.begin(), logits.end(), rows.row(i).begin());
    outputs.push_back(i);
    settings.push_back({SamplingWords::draw, float(1 / std::log(2.0)), 0, 0, uint32_t((i + 0.5) / draws * 0x1p32)});
  }
  KernelRun run(sampledTokens(4));
  run.setStep({{0, draws}}, outputs);
  run.give(0, rows);
  run.give(1, tensorOf(settings));
  run.makeUp(0);
  for (const std::vector<Bits> &chosen : run.runAll()) {
    int counts[4] = {};
    for (uint32_t id : chosen.front())
      ++counts[id];
    for (auto [id, share] : {std::pair(0, 10), {1, 40}, {2, 20}, {3, 30}})
      EXPECT_NEAR(counts[id], share, 1) << "token " << id;
  }
}
