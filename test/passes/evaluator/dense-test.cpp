// Products, norms and gated MLPs, on numbers that a reader can follow.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace moec::test;

namespace {

TEST(Linear, RowsOfTheWeightAreOutputs) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %w: tensor<3x2xbf16>) -> tensor<?x3xf32> {
      %y = moe.linear %x, %w : tensor<?x2xf32>, tensor<3x2xbf16> -> tensor<?x3xf32>
      return %y : tensor<?x3xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 10}, {2, 0}}), rows({{1, 2}, {3, 4}, {5, 6}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{21, 43, 65}, {2, 6, 10}});
}

TEST(Linear, BiasAndResidual) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %w: tensor<1x2xf32>, %b: tensor<1xf32>, %r: tensor<?x1xf32>) -> tensor<?x1xf32> {
      %y = moe.linear %x, %w bias %b (tensor<1xf32>) residual %r (tensor<?x1xf32>)
        : tensor<?x2xf32>, tensor<1x2xf32> -> tensor<?x1xf32>
      return %y : tensor<?x1xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 10}, {2, 0}}), rows({{1, 2}}), vector({100}), rows({{1000}, {2000}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{1121}, {2102}});
}

/// The activation is rounded (1 + 2^-9 to 1), weight, bias, residual and result are not.
TEST(Linear, ComputeInBF16) {
  const double odd = 1 + 0x1p-9;
  const char *text = R"(
    func.func @f(%x: tensor<?x1xf32>, %w: tensor<1x1xf32>, %b: tensor<1xf32>, %r: tensor<?x1xf32>) -> tensor<?x1xf32> {
      %y = moe.linear %x, %w bias %b (tensor<1xf32>) residual %r (tensor<?x1xf32>) {compute = #moe<compute bf16>}
        : tensor<?x1xf32>, tensor<1x1xf32> -> tensor<?x1xf32>
      return %y : tensor<?x1xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{odd}}), rows({{odd}}), vector({2 * odd}), rows({{4 * odd}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{7 * odd}});
}

Tensor norm(const std::vector<double> &x, const std::vector<double> &weight, const std::string &attributes) {
  bool weighted = !weight.empty();
  std::string type = llvm::formatv("tensor<{0}xf32>", weight.size());
  std::vector<Argument> arguments = {rows({x})};
  if (weighted)
    arguments.emplace_back(vector(weight));
  const char *text = R"(
    func.func @f(%x: tensor<?x{0}xf32> {1}) -> tensor<?x{0}xf32> {{
      %y = moe.rms_norm %x {2} {{{3}} : tensor<?x{0}xf32> {4}
      return %y : tensor<?x{0}xf32>
    })";
  std::vector<Tensor> results = evaluate(llvm::formatv(text, x.size(), weighted ? ", %w: " + type : "", weighted ? ", %w" : "",
                                                       attributes, weighted ? ", " + type : ""),
                                         arguments);
  return results.empty() ? Tensor() : results[0];
}

/// The mean square of (1, 7) is 25; epsilon 11 makes it 36.
TEST(RMSNorm, EpsilonAndWeight) {
  expectRows(norm({1, 7}, {1, 1}, "epsilon = 0.0 : f64"), {{0.2, 1.4}});
  expectRows(norm({1, 7}, {10, -20}, "epsilon = 11.0 : f64"), {{10 / 6.0, -140 / 6.0}});
}

/// A weight narrower than the row is every head's; each head has its own mean.
TEST(RMSNorm, Heads) { expectRows(norm({1, 7, 14, 2}, {10, 20}, "epsilon = 0.0 : f64"), {{2, 28, 14, 4}}); }

TEST(RMSNorm, GroupsWithoutWeight) {
  expectRows(norm({1, 7, 14, 2}, {}, "epsilon = 0.0 : f64, group = 2 : i64"), {{0.2, 1.4, 1.4, 0.2}});
  expectRows(norm({1, 7, 1, 7}, {}, "epsilon = 0.0 : f64, group = 4 : i64"), {{0.2, 1.4, 0.2, 1.4}});
}

TEST(RMSNorm, ZerosStayZeros) { expectRows(norm({0, 0}, {1, 1}, "epsilon = 1.0e-6 : f64"), {{0, 0}}); }

/// Combines one gate and one up element.
double activate(double gate, double up, const std::string &activation) {
  const char *text = R"(
    func.func @f(%g: tensor<?x1xf32>, %u: tensor<?x1xf32>) -> tensor<?x1xf32> {{
      %h = moe.activate %g, %u {{activation = #moe.activation<{0}>} : tensor<?x1xf32>
      return %h : tensor<?x1xf32>
    })";
  std::vector<Tensor> results = evaluate(llvm::formatv(text, activation), {rows({{gate}}), rows({{up}})});
  return results.empty() ? NAN : results[0].elements[0];
}

const double log3 = std::log(3); // whose sigmoid is 3/4

/// Each half of the row by itself: 2 and 5 are the means, 1 and 4 the variances, and epsilon makes them 4 and 7.
TEST(LayerNorm, GroupsWithWeightAndBias) {
  std::vector<Tensor> results = evaluate(R"(
    func.func @f(%x: tensor<?x4xf32>, %w: tensor<2xf32>, %b: tensor<2xf32>) -> tensor<?x4xf32> {
      %y = moe.layer_norm %x, %w, %b {epsilon = 3.0 : f64} : tensor<?x4xf32>, tensor<2xf32>, tensor<2xf32>
      return %y : tensor<?x4xf32>
    })",
                                         {rows({{1, 3, 7, 3}}), vector({2, 4}), vector({10, 20})});
  ASSERT_EQ(results.size(), 1u);
  double factor = 1 / std::sqrt(7);
  expectRows(results[0], {{9, 22, 10 + 2 * 2 * factor, 20 - 4 * 2 * factor}});
}

TEST(LayerNorm, WithoutBias) {
  std::vector<Tensor> results = evaluate(R"(
    func.func @f(%x: tensor<?x2xf32>, %w: tensor<2xf32>) -> tensor<?x2xf32> {
      %y = moe.layer_norm %x, %w {epsilon = 3.0 : f64} : tensor<?x2xf32>, tensor<2xf32>
      return %y : tensor<?x2xf32>
    })",
                                         {rows({{1, 3}}), vector({2, 4})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{-1, 2}});
}

TEST(Activate, Kinds) {
  EXPECT_NEAR(activate(log3, 2, "kind = silu"), 0.75 * log3 * 2, 1e-14);
  EXPECT_NEAR(activate(-log3, 2, "kind = silu"), -0.25 * log3 * 2, 1e-14);
  EXPECT_NEAR(activate(1, 2, "kind = gelu"), 2 * 0.841344746068542948, 1e-14); // the normal distribution up to 1
  EXPECT_NEAR(activate(-1, 1, "kind = gelu"), 0.841344746068542948 - 1, 1e-14);
  EXPECT_NEAR(activate(1, 2, "kind = gelu_tanh"), 2 * 0.841191990608276705, 1e-14); // (1 + tanh(sqrt(2 / pi) 1.044715)) / 2
  EXPECT_NEAR(activate(-1, 1, "kind = gelu_tanh"), 0.841191990608276705 - 1, 1e-14);
  EXPECT_EQ(activate(3, 2, "kind = relu"), 6);
  EXPECT_EQ(activate(-3, 2, "kind = relu"), 0);
  EXPECT_EQ(activate(-3, 2, "kind = identity"), -6);
}

TEST(Activate, FarFromZero) {
  EXPECT_EQ(activate(2000, 1, "kind = silu"), 2000);
  EXPECT_EQ(activate(-2000, 1, "kind = silu"), 0);
}

/// alpha is inside the sigmoid alone.
TEST(Activate, Alpha) { EXPECT_NEAR(activate(log3 / 2, 1, "kind = silu, alpha = 2.0"), 0.75 * log3 / 2, 1e-14); }

/// The gate is held from above only, before the activation; up from both sides, before its offset.
TEST(Activate, LimitsAndOffset) {
  EXPECT_EQ(activate(9, 1, "kind = identity, gate_max = 7.0"), 7);
  EXPECT_EQ(activate(-9, 1, "kind = identity, gate_max = 7.0"), -9);
  EXPECT_NEAR(activate(9, 1, "kind = silu, gate_max = 1.0986122886681098"), 0.75 * log3, 1e-14);
  EXPECT_EQ(activate(1, 9, "kind = identity, up_limit = 7.0"), 7);
  EXPECT_EQ(activate(1, -9, "kind = identity, up_limit = 7.0"), -7);
  EXPECT_EQ(activate(1, 9, "kind = identity, up_limit = 7.0, up_offset = 1.0"), 8);
  EXPECT_EQ(activate(1, -9, "kind = identity, up_limit = 7.0, up_offset = 1.0"), -6);
  EXPECT_EQ(activate(2, 0, "kind = identity, gate_max = 0.0"), 0);
}

/// gpt-oss: g sigmoid(1.702 g) (u + 1) with g up to 7 and u within 7.
TEST(Activate, GptOss) {
  const std::string gptOss = "kind = silu, alpha = 1.702, gate_max = 7.0, up_limit = 7.0, up_offset = 1.0";
  EXPECT_NEAR(activate(log3 / 1.702, 3, gptOss), 0.75 * log3 / 1.702 * 4, 1e-14);
  EXPECT_NEAR(activate(100, -100, gptOss), 7 / (1 + std::exp(-1.702 * 7)) * -6, 1e-13);
}

/// gate = x0 + x1, up = x1 of the first element, gate = -x0, up = 1 x0 of the second.
const Rows gate = {{1, 1}, {-1, 0}}, up = {{0, 1}, {1, 0}};

TEST(GateUp, ActivatesProducts) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %gate: tensor<2x2xf32>, %up: tensor<2x2xf32>) -> tensor<?x2xf32> {
      %h = moe.gate_up %x, %gate, %up {activation = #moe.activation<kind = relu>}
        : tensor<?x2xf32>, tensor<2x2xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      return %h : tensor<?x2xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 2}, {-3, 4}}), rows(gate), rows(up)});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{6, 0}, {4, -9}});
}

TEST(GatedMLP, DownAndResidual) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %gate: tensor<2x2xf32>, %up: tensor<2x2xf32>, %down: tensor<1x2xf32>, %r: tensor<?x1xf32>)
        -> (tensor<?x1xf32>, tensor<?x1xf32>) {
      %y = moe.gated_mlp %x, %gate, %up, %down {activation = #moe.activation<kind = relu>}
        : tensor<?x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<1x2xf32> -> tensor<?x1xf32>
      %z = moe.gated_mlp %x, %gate, %up, %down residual %r (tensor<?x1xf32>) {activation = #moe.activation<kind = relu>}
        : tensor<?x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<1x2xf32> -> tensor<?x1xf32>
      return %y, %z : tensor<?x1xf32>, tensor<?x1xf32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{1, 2}, {-3, 4}}), rows(gate), rows(up), rows({{10, 1}}), rows({{100}, {200}})});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {{60}, {31}});
  expectRows(results[1], {{160}, {231}});
}

/// Input and hidden row are rounded: 1 + 2^-9 to 1, the hidden element 4 + 2^-6 to 4.
TEST(GatedMLP, ComputeInBF16) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %gate: tensor<1x2xf32>, %up: tensor<1x2xf32>, %down: tensor<1x1xf32>)
        -> (tensor<?x1xf32>, tensor<?x1xf32>) {
      %h = moe.gate_up %x, %gate, %up {activation = #moe.activation<kind = identity>, compute = #moe<compute bf16>}
        : tensor<?x2xf32>, tensor<1x2xf32>, tensor<1x2xf32> -> tensor<?x1xf32>
      %y = moe.gated_mlp %x, %gate, %up, %down {activation = #moe.activation<kind = identity>, compute = #moe<compute bf16>}
        : tensor<?x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x1xf32> -> tensor<?x1xf32>
      return %h, %y : tensor<?x1xf32>, tensor<?x1xf32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{1 + 0x1p-9, 3 + 0x1p-6}}), rows({{1, 1}}), rows({{1, 0}}), rows({{1 + 0x1p-9}})});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {{4 + 0x1p-6}});
  expectRows(results[1], {{4 * (1 + 0x1p-9)}});
}

} // namespace
