// Config and Rope: what keys mean in either spelling, and what absent ones mean in each family.
#include "dialects/moe/Rotary.h"
#include "importers/Refusal.h"
#include "importers/config/Rope.h"
#include "importers/families/Families.h"

#include "mlir/IR/MLIRContext.h"

#include "gtest/gtest.h"

#include <cmath>
#include <numbers>

using namespace moec;
using namespace moec::importers;

namespace {

class ConfigTest : public testing::Test {
protected:
  ConfigTest() : context(mlir::MLIRContext::Threading::DISABLED) { context.loadDialect<moe::MoEDialect>(); }

  /// Calls `read` with a Config of `text`, and expects every key to be understood.
  template <typename Function> auto read(llvm::StringRef text, Function function) {
    llvm::Expected<json::Value> value = json::parse(text, "config.json");
    EXPECT_TRUE(bool(value)) << llvm::toString(value.takeError());
    std::string problem;
    Config config(*value->object(), "config.json", problem);
    auto result = function(config);
    if (llvm::Error error = config.finish())
      ADD_FAILURE() << llvm::toString(std::move(error));
    return result;
  }
  Rope rope(llvm::StringRef text) {
    return read(text, [&](Config &config) { return readRope(config, &context, {.theta = 1e4}, 2048); });
  }
  Decoder describe(llvm::StringRef type, llvm::StringRef text) {
    for (const Family &family : families())
      if (family.modelType == type)
        return read(text, [&](Config &config) { return family.describe(config, &context); });
    ADD_FAILURE() << "no family " << type.str();
    return {};
  }

  mlir::MLIRContext context;
};

TEST_F(ConfigTest, RopeWithoutScaling) {
  for (const char *text : {R"({})", R"({"rope_scaling": null})", R"({"rope_parameters": {"rope_type": "default"}})",
                           R"({"rope_theta": 10000, "rope_parameters": {"rope_theta": 1e4, "type": "default"}})"}) {
    Rope read = rope(text);
    EXPECT_EQ(read.theta, 1e4) << text;
    EXPECT_FALSE(read.yarn) << text;
    EXPECT_EQ(read.multiplier, 1) << text;
    EXPECT_EQ(read.latentScale, 1) << text;
  }
  EXPECT_EQ(rope(R"({"rope_theta": 5e5})").theta, 5e5);
  EXPECT_EQ(rope(R"({"rope_parameters": {"rope_theta": 5e5}})").theta, 5e5);
}

TEST_F(ConfigTest, YarnInBothSpellings) {
  const char *flat =
      R"({"rope_theta": 10000, "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096,
                         "beta_fast": 32, "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707}})";
  const char *nested = R"({"rope_parameters": {"rope_theta": 1e4, "rope_type": "yarn", "type": "yarn", "factor": 40.0,
                           "original_max_position_embeddings": 4096, "mscale": 0.707, "mscale_all_dim": 0.707}})";
  for (const char *text : {flat, nested}) {
    Rope read = rope(text);
    EXPECT_EQ(read.yarn, moe::YarnAttr::get(&context, 40.0, 4096, 32.0, 1.0, true)) << text;
    EXPECT_EQ(read.multiplier, 1) << text;
    EXPECT_NEAR(read.latentScale, 1.58963, 5e-6) << text; // DeepSeek-V2-Lite's
  }
}

// Without both mscale keys cos and sin take the paper's factor; attention_factor overrides it.
TEST_F(ConfigTest, YarnMultipliers) {
  const std::string yarn = R"({"rope_scaling": {"type": "yarn", "factor": 64, "original_max_position_embeddings": 4096)";
  EXPECT_NEAR(rope(yarn + "}}").multiplier, 0.1 * std::log(64) + 1, 1e-15);
  EXPECT_EQ(rope(yarn + "}}").latentScale, 1);
  EXPECT_NEAR(rope(yarn + R"(, "mscale": 1.0, "mscale_all_dim": 0.0}})").multiplier, 1.41589, 5e-6); // Devstral 2's
  EXPECT_EQ(rope(yarn + R"(, "attention_factor": 1.0}})").multiplier, 1);
  EXPECT_FALSE(rope(yarn + R"(, "truncate": false}})").yarn.getTruncate());
  // Absent, the original length is the model's.
  EXPECT_EQ(rope(R"({"rope_scaling": {"type": "yarn", "factor": 4}})").yarn.getOriginalPositions(), 2048);
}

// All frequencies divided by the same.
TEST_F(ConfigTest, DividedFrequencies) {
  Rope read = rope(R"({"rope_theta": 500000, "rope_scaling": {"type": "linear", "factor": 2.5}})");
  EXPECT_EQ(read.multiplier, 1);
  std::vector<double> plain =
      moe::rotaryFrequencies(moe::RotaryAttr::get(&context, 128, 5e5, moe::RotaryLayout::Half, 0, 1, false, {}));
  std::vector<double> divided = moe::rotaryFrequencies(read.attr(&context, 128, moe::RotaryLayout::Half));
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_DOUBLE_EQ(divided[i], plain[i] / 2.5) << i;
}

// A step between frequencies that are kept and those that are divided.
TEST_F(ConfigTest, StepOfFrequencies) {
  Rope read = rope(R"({"rope_theta": 500000, "rope_scaling": {"rope_type": "llama3", "factor": 16, "low_freq_factor": 1,
                       "high_freq_factor": 1, "original_max_position_embeddings": 8192}})");
  EXPECT_EQ(read.multiplier, 1);
  std::vector<double> plain =
      moe::rotaryFrequencies(moe::RotaryAttr::get(&context, 128, 5e5, moe::RotaryLayout::Half, 0, 1, false, {}));
  std::vector<double> stepped = moe::rotaryFrequencies(read.attr(&context, 128, moe::RotaryLayout::Half));
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_DOUBLE_EQ(stepped[i], 2 * std::numbers::pi / plain[i] > 8192 ? plain[i] / 16 : plain[i]) << i;
}

// A ramp between them, by the turns that a frequency makes: values of transformers 5.23 for Llama 3.1's keys and 64 dimensions.
TEST_F(ConfigTest, RampOfFrequencies) {
  Rope read = rope(R"({"rope_theta": 500000, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
                       "high_freq_factor": 4, "original_max_position_embeddings": 8192}})");
  EXPECT_EQ(read.multiplier, 1);
  std::vector<double> ramp = moe::rotaryFrequencies(read.attr(&context, 64, moe::RotaryLayout::Half));
  ASSERT_EQ(ramp.size(), 32u);
  for (auto [pair, expected] : {std::pair(0, 1.0),
                                {13, 0.004839421345719893},
                                {14, 0.0032114459947525913},
                                {15, 0.0013718935677611381},
                                {16, 0.0005248461609929547},
                                {17, 0.00017850781276799638},
                                {18, 7.78465527393245e-05},
                                {31, 3.7673226901739635e-07}})
    EXPECT_NEAR(ramp[size_t(pair)], expected, 1e-14 * expected) << pair;
}

// transformers 5.23: the values of the class when a config says nothing.
TEST_F(ConfigTest, AbsentKeysAreTheFamilysDefaults) {
  Decoder mixtral = describe("mixtral", "{}");
  EXPECT_EQ(mixtral.hidden, 4096);
  EXPECT_EQ(mixtral.epsilon, 1e-5);
  EXPECT_EQ(mixtral.mixture.routing.getK(), 2);
  EXPECT_EQ(mixtral.mixture.routing.getScore(), moe::Score::SoftmaxTopK);
  EXPECT_EQ(std::get<GroupedAttention>(mixtral.attention).rotary.getTheta()->value, 1e6);
  EXPECT_EQ(std::get<GroupedAttention>(mixtral.attention).headDim, 128);
  EXPECT_EQ(mixtral.eos, std::vector<int64_t>{2});

  Decoder qwen = describe("qwen3_moe", "{}");
  EXPECT_FALSE(qwen.mixture.routing.getRenormalize());
  EXPECT_EQ(qwen.mixture.experts, 128);
  EXPECT_FALSE(std::get<GroupedAttention>(qwen.attention).window);
  EXPECT_TRUE(qwen.eos.empty() && !qwen.bos);

  Decoder v2 = describe("deepseek_v2", R"({"num_experts_per_tok": 6})");
  EXPECT_EQ(v2.mixture.routing.getScore(), moe::Score::Softmax);
  EXPECT_EQ(v2.mixture.routing.getGroups(), 1);
  EXPECT_EQ(v2.mixture.routing.getScale().value, 1.0);
  EXPECT_TRUE(v2.isMixture.front());
  EXPECT_EQ(std::get<LatentAttention>(v2.attention).queryLatent, 1536);

  Decoder v3 = describe("deepseek_v3", "{}");
  moe::RoutingAttr routing = v3.mixture.routing;
  EXPECT_EQ(routing, moe::RoutingAttr::get(&context, 8, moe::Score::Sigmoid, 8, 4, moe::GroupScore::Top2Sum,
                                           moe::MaskFill::NegativeInfinity, true, 1e-20, 2.5));
  EXPECT_FALSE(v3.isMixture[2]);
  EXPECT_TRUE(v3.isMixture[3]);
  EXPECT_EQ(v3.prediction.layers, 1);
  EXPECT_NEAR(std::get<LatentAttention>(v3.attention).scale, 0.0721688, 5e-8);
}

TEST_F(ConfigTest, AbsentKeysOfFamiliesWithGroupedAttention) {
  auto attention = [](const Decoder &decoder) { return std::get<GroupedAttention>(decoder.attention); };
  Decoder olmoe = describe("olmoe", "{}");
  EXPECT_EQ(attention(olmoe).norms, QueryKeyNorm::Whole);
  EXPECT_EQ(attention(olmoe).kvHeads, 16);
  EXPECT_EQ(olmoe.mixture.routing, moe::RoutingAttr::get(&context, 8, moe::Score::Softmax, 1, 1, moe::GroupScore::Max,
                                                         moe::MaskFill::NegativeInfinity, false, 0.0, 1.0));
  EXPECT_EQ(olmoe.eos, std::vector<int64_t>{50279});

  Decoder glm = describe("glm4_moe", R"({"head_dim": 128})");
  EXPECT_EQ(attention(glm).rotary.getDims(), 64);
  EXPECT_EQ(attention(glm).norms, QueryKeyNorm::None);
  EXPECT_FALSE(attention(glm).bias);
  EXPECT_FALSE(glm.isMixture[0]);
  EXPECT_TRUE(glm.isMixture[1]);
  EXPECT_EQ(attention(describe("glm4_moe", R"({"head_dim": 128, "attention_bias": true})")).outputBias, false);

  Decoder minimax = describe("minimax_m2", "{}");
  EXPECT_EQ(attention(minimax).headDim, 128);
  EXPECT_EQ(attention(minimax).rotary.getDims(), 128);
  EXPECT_EQ(attention(minimax).rotary.getTheta()->value, 5e6);
  EXPECT_EQ(minimax.mixture.routing.getEpsilon().value, 0.0);

  Decoder mistral = describe("mistral", "{}");
  EXPECT_EQ(attention(mistral).window, 4096);
  EXPECT_FALSE(mistral.isMixture.front());
}

// Mistral Small 4's head_dim is a query's whole width; partial_rotary_factor may say the rotary part's share of it.
TEST_F(ConfigTest, LatentAttentionOfMistral4) {
  Decoder decoder =
      describe("mistral4", R"({"head_dim": 128, "rope_parameters": {"rope_theta": 10000, "rope_type": "yarn", "factor": 128,
      "original_max_position_embeddings": 8192, "llama_4_scaling_beta": 0.1, "mscale": 1, "mscale_all_dim": 1,
      "partial_rotary_factor": 0.5}})");
  LatentAttention attention = std::get<LatentAttention>(decoder.attention);
  EXPECT_EQ(attention.positionScale, moe::PositionScaleAttr::get(&context, 0.1, 8192, 0));
  EXPECT_NEAR(attention.scale, std::pow(0.1 * std::log(128) + 1, 2) / std::sqrt(128), 1e-15);
  EXPECT_EQ(attention.queryLatent, 1024);
}

TEST_F(ConfigTest, NullQueryLatentMeansNone) {
  EXPECT_FALSE(std::get<LatentAttention>(describe("deepseek_v2", R"({"num_experts_per_tok": 6, "q_lora_rank": null})").attention)
                   .queryLatent);
}

// A name of megabytes is quoted by its ends.
TEST_F(ConfigTest, MessagesHaveAnEnd) {
  std::string said =
      llvm::toString(refuse("unknown key '" + std::string(1 << 20, 'x') + "': it may change what the model computes"));
  EXPECT_LT(said.size(), size_t(5000));
  EXPECT_TRUE(said.starts_with("unknown key 'xxx")) << said;
  EXPECT_TRUE(said.ends_with("xxx': it may change what the model computes")) << said;
}

// A sliding window counts only where it is used.
TEST_F(ConfigTest, SlidingWindow) {
  auto window = [&](llvm::StringRef type, llvm::StringRef text) {
    return std::get<GroupedAttention>(describe(type, text).attention).window;
  };
  EXPECT_EQ(window("mixtral", R"({"sliding_window": 4096})"), 4096);
  EXPECT_EQ(window("mixtral", R"({"sliding_window": null})"), std::nullopt);
  EXPECT_EQ(window("qwen3_moe", R"({"sliding_window": 512})"), std::nullopt);
  EXPECT_EQ(window("qwen3_moe", R"({"sliding_window": 512, "use_sliding_window": true, "max_window_layers": 4})"), 512);
}

// Absent, every other layer of gpt-oss looks back 128 positions, from the first on.
TEST_F(ConfigTest, LayersOfGptOss) {
  Decoder decoder = describe("gpt_oss", R"({"num_hidden_layers": 3, "rope_scaling": {"rope_type": "yarn", "factor": 32,
      "original_max_position_embeddings": 4096, "truncate": false}})");
  std::vector<std::optional<int64_t>> windows;
  for (const Attention &attention : decoder.attentionOfLayers)
    windows.push_back(std::get<GroupedAttention>(attention).window);
  EXPECT_EQ(windows, (std::vector<std::optional<int64_t>>{128, std::nullopt, 128}));
  EXPECT_EQ(decoder.activation,
            moe::ActivationAttr::get(&context, moe::ActivationKind::SiLU, 1.702, moe::F64(7), moe::F64(7), 1.0));
}

// Absent, every fourth layer of Llama 4 sees all positions, does not turn, and scales q instead; the others see chunks.
TEST_F(ConfigTest, LayersOfLlama4) {
  Decoder decoder = describe("llama4_text", R"({"num_hidden_layers": 8, "interleave_moe_layer_step": 2})");
  for (size_t layer = 0; layer < 8; ++layer) {
    GroupedAttention attention = std::get<GroupedAttention>(decoder.attentionOfLayers[layer]);
    bool turns = layer % 4 != 3;
    EXPECT_EQ(bool(attention.rotary), turns) << layer;
    EXPECT_EQ(attention.chunk, turns ? std::optional<int64_t>(8192) : std::nullopt) << layer;
    EXPECT_EQ(bool(attention.positionScale), !turns) << layer;
    EXPECT_EQ(attention.norms, turns ? QueryKeyNorm::TurnedHeads : QueryKeyNorm::None) << layer;
    EXPECT_EQ(decoder.isMixture[layer], layer % 2 == 1) << layer;
  }
}

// A list of Llama 4's mixtures overrides their distance.
TEST_F(ConfigTest, MixturesOfLlama4) {
  EXPECT_EQ(describe("llama4_text", R"({"num_hidden_layers": 3, "moe_layers": [1]})").isMixture,
            (std::vector<bool>{false, true, false}));
  EXPECT_EQ(describe("llama4_text", R"({"num_hidden_layers": 2, "moe_layers": null})").isMixture, (std::vector<bool>{true, true}));
}

TEST_F(ConfigTest, LayersOfQwen3) {
  Decoder decoder = describe("qwen3_moe", R"({"num_hidden_layers": 6, "decoder_sparse_step": 2, "mlp_only_layers": [3]})");
  EXPECT_EQ(decoder.isMixture, (std::vector<bool>{false, true, false, false, false, true}));
}

} // namespace
