// What moe-bench takes a step to cost, against the weights that models have.
#include "test/tools/Runs.h"
#include "tools/moe-bench/Cost.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::bench;
using namespace moec::runtime;
using namespace moec::test;

namespace {
const std::string fixtures = MOEC_TEST_DATA "/fixtures/";

class BenchCost : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    Result<std::unique_ptr<Artifact>> opened = Artifact::open(compiled(fixtures + GetParam(), "--max-batch 2"));
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    artifact = std::move(*opened);
  }
  const artifact::Manifest &manifest() const { return artifact->manifest(); }
  double bytesOf(const artifact::Weight &weight) const {
    double bytes = 0;
    for (const artifact::WeightRun *run : *weight.runs())
      bytes += double(run->bytes() * run->times());
    return bytes;
  }

  std::unique_ptr<Artifact> artifact;
};

// When all experts of all layers and all rows of the embedding are read, all weights are.
TEST_P(BenchCost, CountsEveryWeightOnce) {
  DecodeBytes decode = decodeBytesOf(manifest());
  double all = decode.everyStep + decode.everyToken * manifest().model()->vocabulary(), weights = 0;
  for (double experts : decode.experts) {
    EXPECT_GT(experts, 0);
    all += experts;
  }
  for (const artifact::Weight *weight : *manifest().weights())
    weights += bytesOf(*weight);
  EXPECT_NEAR(all, weights, 1);
}

// The weights that the compiler says are stacked for a layer's experts are those that count as experts'.
TEST_P(BenchCost, TakesTheExpertsOfEachLayerForExperts) {
  DecodeBytes decode = decodeBytesOf(manifest());
  ASSERT_EQ(decode.experts.size(), manifest().routing()->size());
  for (uint32_t i = 0; i < decode.experts.size(); ++i) {
    const artifact::RoutingRecord &layer = *manifest().routing()->Get(i);
    std::string prefix = "model.layers." + std::to_string(layer.layer()) + ".";
    double stacked = 0;
    for (const artifact::Weight *weight : *manifest().weights()) {
      std::string_view name = weight->name()->string_view();
      if (name.starts_with(prefix) && name.find(".experts.") != name.npos)
        stacked += bytesOf(*weight);
    }
    EXPECT_NEAR(decode.experts[i], stacked, 1) << "layer " << layer.layer();
  }
}

// For one token it comes to what the compiler counted for single rows.
TEST_P(BenchCost, AgreesWithTheCompilerForOneToken) {
  DecodeBytes decode = decodeBytesOf(manifest());
  double one = decode.everyStep + decode.everyToken, counted = 0;
  for (uint32_t i = 0; i < decode.experts.size(); ++i) {
    const artifact::RoutingRecord &layer = *manifest().routing()->Get(i);
    one += decode.experts[i] * layer.k() / layer.experts();
  }
  for (const artifact::Program *program : *manifest().programs())
    for (const artifact::Launch *launch : *program->launches())
      counted += program->name()->string_view() == "decode" ? double(launch->bytes_per_unit()) : 0;
  EXPECT_NEAR(one, counted, 1);
}

INSTANTIATE_TEST_SUITE_P(Models, BenchCost,
                         testing::Values("checkpoints/mixtral/a", "checkpoints/deepseek_v2/a", "checkpoints/qwen3_moe/a",
                                         "checkpoints/deepseek_v2_lite/b", "checkpoints/deepseek_v3/a", "model"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '/', '_');
                           return name;
                         });
} // namespace
