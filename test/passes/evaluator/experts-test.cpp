// moe.experts, its fused form and that form's stages, on numbers that a reader can follow.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

using namespace moec::test;

namespace {

// Two experts, one hidden element each, two columns in and out. With x = (1, 2) and the identity as activation:
//   expert 0: (x0 + x1) x x0 = 3, down gives (3, 6);   expert 1: (2 x1) x (x0 + 2 x1) = 20, down gives (-20, 20).
const std::vector<Rows> gate = {{{1, 1}}, {{0, 2}}}, up = {{{1, 0}}, {{1, 2}}}, down = {{{1}, {2}}, {{-1}, {1}}};

/// Evaluates moe.experts on one token that has two experts.
Tensor experts(const Rows &x, const Rows &ids, const Rows &weights, const std::string &attributes) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>,
                 %gate: tensor<2x1x2xf32>, %up: tensor<2x1x2xf32>, %down: tensor<2x2x1xf32>) -> tensor<?x2xf32> {{
      %y = moe.experts %x to %ids, %weights with %gate, %up, %down {{{0}}
        : tensor<?x2xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x2x1xf32> -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Tensor> results =
      evaluate(llvm::formatv(text, attributes), {rows(x), rows(ids), rows(weights), matrices(gate), matrices(up), matrices(down)});
  return results.empty() ? Tensor() : results[0];
}

const char *identity = "activation = #moe.activation<kind = identity>";

TEST(Experts, WeightedSum) {
  expectRows(experts({{1, 2}}, {{0, 1}}, {{0.5, 0.25}}, identity), {{0.5 * 3 - 0.25 * 20, 0.5 * 6 + 0.25 * 20}});
}

/// Each token has its own experts, in any order; an expert that is named twice counts twice.
TEST(Experts, TokensChooseForThemselves) {
  expectRows(experts({{1, 2}, {1, 2}, {1, 0}}, {{1, 0}, {1, 1}, {0, 1}}, {{0.25, 0.5}, {1, 2}, {1, 1}}, identity),
             {{-3.5, 8}, {-60, 60}, {1, 2}});
}

TEST(Experts, Activation) {
  expectRows(experts({{-1, 0}}, {{0, 1}}, {{1, 0}}, "activation = #moe.activation<kind = relu>"), {{0, 0}});
  // gate -1 stays below its limit, up -1 is held at -1/2 and moved to 1/2.
  expectRows(experts({{-1, 0}}, {{0, 1}}, {{1, 0}},
                     "activation = #moe.activation<kind = identity, gate_max = 0.0, up_limit = 0.5, up_offset = 1.0>"),
             {{-0.5, -1}});
}

/// On the input the weight passes through gate and up alike: an identity gives its square.
TEST(Experts, WeightOnInput) {
  expectRows(experts({{1, 2}}, {{0, 1}}, {{0.5, 2}}, std::string(identity) + ", weight_on_input"),
             {{0.25 * 3 - 4 * 20, 0.25 * 6 + 4 * 20}});
}

/// Gate 3 + 1, up 1 - 3 and their product -8 + the bias of down, all of which is weighted.
TEST(Experts, Biases) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %ids: tensor<?x1xi32>, %weights: tensor<?x1xf32>,
                 %gate: tensor<2x1x2xf32>, %up: tensor<2x1x2xf32>, %down: tensor<2x2x1xf32>,
                 %gate_bias: tensor<2x1xf32>, %up_bias: tensor<2x1xf32>, %down_bias: tensor<2x2xf32>) -> tensor<?x2xf32> {
      %y = moe.experts %x to %ids, %weights with %gate, %up, %down
        biases %gate_bias, %up_bias, %down_bias (tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x2xf32>)
        {activation = #moe.activation<kind = identity>}
        : tensor<?x2xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x2x1xf32> -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{1, 2}}), rows({{0}}), rows({{0.5}}), matrices(gate), matrices(up), matrices(down), rows({{1}, {50}}),
                      rows({{-3}, {50}}), rows({{100, 200}, {50, 50}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{0.5 * (-8 + 100), 0.5 * (-16 + 200)}});
}

/// Activations are rounded where they enter a product: 1 + 2^-9 to 1 at the input, the hidden element 4 + 2^-6 to 4, the even one
/// of two that are as near.
TEST(Experts, ComputeInBF16) {
  Rows x = {{1 + 0x1p-9, 3 + 0x1p-6}};
  expectRows(experts(x, {{0, 0}}, {{1, 0}}, std::string(identity) + ", compute = #moe<compute bf16>"), {{4, 8}});
  double exact = (4 + 0x1p-6 + 0x1p-9) * (1 + 0x1p-9);
  expectRows(experts(x, {{0, 0}}, {{1, 0}}, identity), {{exact, 2 * exact}});
}

TEST(Experts, RefusesIdsBeyondTheExperts) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %ids: tensor<?x1xi32>, %weights: tensor<?x1xf32>,
                 %gate: tensor<2x1x2xf32>, %up: tensor<2x1x2xf32>, %down: tensor<2x2x1xf32>) -> tensor<?x2xf32> {
      %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
        : tensor<?x2xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x2x1xf32> -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  EXPECT_EQ(refusal(text, {rows({{1, 2}}), rows({{2}}), rows({{1}}), matrices(gate), matrices(up), matrices(down)}),
            "expected numbers below 2, got 2");
}

/// Expert 1 by its bias with the score of its logit, 1/2; the shared MLP is relu(x1) x x0 = 2 in the first column.
TEST(FusedExperts, RouteExpertsSharedAndResidual) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %logits: tensor<?x2xf32>, %bias: tensor<2xf32>,
                 %gate: tensor<2x1x2xf32>, %up: tensor<2x1x2xf32>, %down: tensor<2x2x1xf32>,
                 %shared_gate: tensor<1x2xf32>, %shared_up: tensor<1x2xf32>, %shared_down: tensor<2x1xf32>,
                 %residual: tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?x1xi32>) {
      %y, %ids = moe.fused_experts %x by %logits bias %bias (tensor<2xf32>) with %gate, %up, %down
        shared %shared_gate, %shared_up, %shared_down (tensor<1x2xf32>, tensor<1x2xf32>, tensor<2x1xf32>)
        residual %residual (tensor<?x2xf32>)
        {routing = #moe.routing<k = 1, score = sigmoid, scale = 3.0>, activation = #moe.activation<kind = relu>}
        : tensor<?x2xf32>, tensor<?x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x2x1xf32> -> tensor<?x2xf32>, tensor<?x1xi32>
      return %y, %ids : tensor<?x2xf32>, tensor<?x1xi32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{1, 2}}), rows({{1, 0}}), vector({0, 1}), matrices(gate), matrices(up), matrices(down), rows({{0, 1}}),
                      rows({{1, 0}}), rows({{1}, {0}}), rows({{100, 200}})});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[1], {{1}});
  expectRows(results[0], {{-1.5 * 20 + 2 + 100, 1.5 * 20 + 200}});
}

/// Token 0 has assignments 0 and 1, token 1 has 2 and 3, token 2 has 4 and 5. Expert 3 has none.
TEST(Dispatch, ByExpertThenByNumber) {
  const char *text = R"(
    func.func @f(%ids: tensor<?x2xi32>) -> (tensor<5xi32>, tensor<?x2xi32>) {
      %offsets, %order = moe.dispatch %ids : tensor<?x2xi32> -> tensor<5xi32>
      return %offsets, %order : tensor<5xi32>, tensor<?x2xi32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{2, 0}, {0, 2}, {2, 1}})});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {{0, 2, 3, 6, 6}});
  expectRows(results[1], {{1, 2}, {5, 0}, {3, 4}});
}

TEST(Dispatch, RefusesIdsBeyondTheExperts) {
  const char *text = R"(
    func.func @f(%ids: tensor<?x1xi32>) -> tensor<3xi32> {
      %offsets, %order = moe.dispatch %ids : tensor<?x1xi32> -> tensor<3xi32>
      return %offsets : tensor<3xi32>
    })";
  EXPECT_EQ(refusal(text, {rows({{1}, {2}})}), "expected numbers below 2, got 2");
}

// Two tokens of two experts each: token 0 has (1, 0), token 1 has (0, 0).
const std::vector<double> offsets = {0, 3, 4};
const Rows order = {{1, 2}, {3, 0}};

/// A row holds the hidden element of each slot, then that of the shared MLP: x1 x x0.
TEST(ExpertHidden, SlotsThenShared) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %offsets: tensor<3xi32>, %order: tensor<?x2xi32>, %gate: tensor<2x1x2xf32>,
                 %up: tensor<2x1x2xf32>, %gate_bias: tensor<2x1xf32>, %up_bias: tensor<2x1xf32>,
                 %shared_gate: tensor<1x2xf32>, %shared_up: tensor<1x2xf32>) -> tensor<?x3xf32> {
      %h = moe.expert_hidden %x by %offsets, %order with %gate, %up biases %gate_bias, %up_bias (tensor<2x1xf32>, tensor<2x1xf32>)
        shared %shared_gate, %shared_up (tensor<1x2xf32>, tensor<1x2xf32>) {activation = #moe.activation<kind = identity>}
        : tensor<?x2xf32>, tensor<3xi32>, tensor<?x2xi32>, tensor<2x1x2xf32>, tensor<2x1x2xf32> -> tensor<?x3xf32>
      return %h : tensor<?x3xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 2}, {10, 1}}), vector(offsets), rows(order), matrices(gate), matrices(up),
                                                rows({{1}, {2}}), rows({{0}, {-1}}), rows({{0, 1}}), rows({{1, 0}})});
  ASSERT_EQ(results.size(), 1u);
  // Expert 0 gives (x0 + x1 + 1) x x0, expert 1 (2 x1 + 2) x (x0 + 2 x1 - 1).
  expectRows(results[0], {{24, 4, 2}, {120, 120, 10}});
}

/// Each slot's hidden element goes through its expert's down product, with bias and weight; shared and residual come as they are.
TEST(Combine, SlotsSharedAndResidual) {
  const char *text = R"(
    func.func @f(%h: tensor<?x3xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<3xi32>, %order: tensor<?x2xi32>,
                 %down: tensor<2x2x1xf32>, %bias: tensor<2x2xf32>, %shared: tensor<2x1xf32>, %residual: tensor<?x2xf32>)
        -> tensor<?x2xf32> {
      %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down bias %bias (tensor<2x2xf32>) shared %shared (tensor<2x1xf32>)
        residual %residual (tensor<?x2xf32>)
        : tensor<?x3xf32>, tensor<3xi32>, tensor<?x2xi32>, tensor<2x2x1xf32> -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{24, 4, 2}, {120, 110, 10}}), rows({{0.5, 0.25}, {1, 2}}), vector(offsets), rows(order), matrices(down),
                      rows({{1, 0}, {0, 8}}), rows({{1}, {-1}}), rows({{1000, 2000}, {3000, 4000}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{0.5 * -24 + 0.25 * (4 + 1) + 2 + 1000, 0.5 * (24 + 8) + 0.25 * 8 - 2 + 2000},
                          {(120 + 1) + 2 * (110 + 1) + 10 + 3000, 240 + 2 * 220 - 10 + 4000}});
}

/// As the fused form: the row is rounded where it enters gate and up, the hidden elements where they enter down, shared or not.
TEST(Stages, ComputeInBF16) {
  const char *text = R"(
    func.func @f(%x: tensor<?x1xf32>, %weights: tensor<?x1xf32>, %offsets: tensor<2xi32>, %order: tensor<?x1xi32>,
                 %w: tensor<1x1x1xf32>, %shared: tensor<1x1xf32>) -> (tensor<?x2xf32>, tensor<?x1xf32>) {
      %h = moe.expert_hidden %x by %offsets, %order with %w, %w shared %shared, %shared (tensor<1x1xf32>, tensor<1x1xf32>)
        {activation = #moe.activation<kind = identity>, compute = #moe<compute bf16>}
        : tensor<?x1xf32>, tensor<2xi32>, tensor<?x1xi32>, tensor<1x1x1xf32>, tensor<1x1x1xf32> -> tensor<?x2xf32>
      %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x1xf32>) with %w shared %shared (tensor<1x1xf32>) {compute = #moe<compute bf16>}
        : tensor<?x2xf32>, tensor<2xi32>, tensor<?x1xi32>, tensor<1x1x1xf32> -> tensor<?x1xf32>
      return %h, %y : tensor<?x2xf32>, tensor<?x1xf32>
    })";
  const double odd = 1 + 0x1p-7; // a bf16 number whose square is not one: 1 + 2^-6 + 2^-14
  std::vector<Tensor> results =
      evaluate(text, {rows({{odd + 0x1p-10}}), rows({{1 + 0x1p-10}}), vector({0, 1}), rows({{0}}), matrices({{{1}}}), rows({{2}})});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {{odd * odd, 4 * odd * odd}});
  expectRows(results[1], {{(1 + 0x1p-10) * (1 + 0x1p-6) + 2 * 4 * (1 + 0x1p-6)}});
}

TEST(FusedExperts, ComputeInBF16) {
  const char *text = R"(
    func.func @f(%x: tensor<?x1xf32>, %logits: tensor<?x1xf32>, %w: tensor<1x1x1xf32>, %shared: tensor<1x1xf32>) -> tensor<?x1xf32> {
      %y, %ids = moe.fused_experts %x by %logits with %w, %w, %w
        shared %shared, %shared, %shared (tensor<1x1xf32>, tensor<1x1xf32>, tensor<1x1xf32>)
        {routing = #moe.routing<k = 1, score = softmax, scale = 1.0009765625>, activation = #moe.activation<kind = identity>,
         compute = #moe<compute bf16>}
        : tensor<?x1xf32>, tensor<?x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32> -> tensor<?x1xf32>, tensor<?x1xi32>
      return %y : tensor<?x1xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1 + 0x1p-7 + 0x1p-10}}), rows({{0}}), matrices({{{1}}}), rows({{2}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{(1 + 0x1p-10) * (1 + 0x1p-6) + 2 * 4 * (1 + 0x1p-6)}});
}

/// Offsets and an order that no dispatch can have made are refused, not followed.
TEST(Combine, RefusesForeignAssignments) {
  const char *text = R"(
    func.func @f(%h: tensor<?x1xf32>, %weights: tensor<?x1xf32>, %offsets: tensor<3xi32>, %order: tensor<?x1xi32>,
                 %down: tensor<2x2x1xf32>) -> tensor<?x2xf32> {
      %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x1xf32>) with %down
        : tensor<?x1xf32>, tensor<3xi32>, tensor<?x1xi32>, tensor<2x2x1xf32> -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  auto message = [&](std::vector<double> offsets, double assignment) {
    return refusal(text, {rows({{1}}), rows({{1}}), vector(std::move(offsets)), rows({{assignment}}), matrices(down)});
  };
  EXPECT_EQ(message({0, 2, 2}, 0), "expected ascending offsets up to 1, got 2");
  EXPECT_EQ(message({0, 1, 0}, 0), "expected ascending offsets up to 1, got 0");
  EXPECT_EQ(message({0, 0, 1}, 1), "expected numbers below 1, got 1");
}

/// The stages do the same with weights on inputs: an identity gives their squares.
TEST(Stages, WeightedInputs) {
  const char *text = R"(
    func.func @f(%x: tensor<?x1xf32>, %weights: tensor<?x2xf32>, %ids: tensor<?x2xi32>, %w: tensor<2x1x1xf32>) -> tensor<?x1xf32> {
      %offsets, %order = moe.dispatch %ids : tensor<?x2xi32> -> tensor<3xi32>
      %h = moe.expert_hidden %x by %offsets, %order weighted %weights (tensor<?x2xf32>) with %w, %w
        {activation = #moe.activation<kind = identity>}
        : tensor<?x1xf32>, tensor<3xi32>, tensor<?x2xi32>, tensor<2x1x1xf32>, tensor<2x1x1xf32> -> tensor<?x2xf32>
      %y = moe.combine %h by %offsets, %order with %w
        : tensor<?x2xf32>, tensor<3xi32>, tensor<?x2xi32>, tensor<2x1x1xf32> -> tensor<?x1xf32>
      return %y : tensor<?x1xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1}}), rows({{0.5, 2}}), rows({{0, 1}}), matrices({{{1}}, {{3}}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{0.25 * 1 + 4 * 27}});
}

/// The fused form with biases and weights on inputs: expert 1 alone, whose weight is a half.
TEST(FusedExperts, BiasesAndWeightOnInput) {
  const char *text = R"(
    func.func @f(%x: tensor<?x1xf32>, %l: tensor<?x2xf32>, %w: tensor<2x1x1xf32>, %b: tensor<2x1xf32>) -> tensor<?x1xf32> {
      %y, %ids = moe.fused_experts %x by %l with %w, %w, %w biases %b, %b, %b (tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>)
        {routing = #moe.routing<k = 1, score = sigmoid>, activation = #moe.activation<kind = identity>, weight_on_input}
        : tensor<?x1xf32>, tensor<?x2xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32> -> tensor<?x1xf32>, tensor<?x1xi32>
      return %y : tensor<?x1xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{4}}), rows({{-9, 0}}), matrices({{{1}}, {{3}}}), rows({{7}, {1}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{3 * 7 * 7 + 1}}); // gate and up are 3 x 4 / 2 + 1
}

} // namespace
