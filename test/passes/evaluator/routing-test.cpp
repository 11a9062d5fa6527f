// moe.route: every choice that #moe.routing has. Logits are chosen so that scores are round numbers.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace moec::test;

namespace {

using Row = std::vector<double>;

/// The logits whose softmax is `shares` over their sum.
Row softmaxOf(Row shares) {
  for (double &share : shares)
    share = std::log(share);
  return shares;
}

/// The logits whose sigmoids are `scores`.
Row sigmoidOf(Row scores) {
  for (double &score : scores)
    score = std::log(score / (1 - score));
  return scores;
}

/// The logits x for which sqrt(log(1 + e^x)) is `scores`.
Row sqrtSoftplusOf(Row scores) {
  for (double &score : scores)
    score = std::log(std::expm1(score * score));
  return scores;
}

/// Routes one token with #moe.routing<k = `k`, `routing`> and expects these experts and weights, in this order.
void expectChoice(const std::string &routing, const Row &logits, const Row &ids, const Row &weights, const Row &bias = {}) {
  SCOPED_TRACE(routing);
  size_t experts = logits.size(), k = ids.size();
  std::string biasOperand = bias.empty() ? "" : llvm::formatv("bias %b (tensor<{0}xf32>)", experts).str();
  std::vector<Argument> arguments = {rows({logits})};
  if (!bias.empty())
    arguments.emplace_back(vector(bias));
  const char *text = R"(
    func.func @f(%logits: tensor<?x{0}xf32> {1}) -> (tensor<?x{2}xi32>, tensor<?x{2}xf32>) {{
      %ids, %weights = moe.route %logits {3} {{routing = #moe.routing<k = {2}, {4}>}
        : tensor<?x{0}xf32> -> tensor<?x{2}xi32>, tensor<?x{2}xf32>
      return %ids, %weights : tensor<?x{2}xi32>, tensor<?x{2}xf32>
    })";
  std::vector<Tensor> results =
      evaluate(llvm::formatv(text, experts, bias.empty() ? "" : llvm::formatv(", %b: tensor<{0}xf32>", experts).str(), k,
                             biasOperand, routing),
               arguments);
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {ids});
  expectRows(results[1], {weights});
}

TEST(Route, Softmax) { expectChoice("score = softmax", softmaxOf({1, 2, 3, 4}), {3, 2}, {0.4, 0.3}); }

TEST(Route, SoftmaxOfTheChosen) { expectChoice("score = softmax_topk", softmaxOf({1, 2, 3, 4}), {3, 2}, {4.0 / 7, 3.0 / 7}); }

TEST(Route, Sigmoid) { expectChoice("score = sigmoid", sigmoidOf({0.5, 0.9, 0.2, 0.8}), {1, 3}, {0.9, 0.8}); }

/// Large logits have the same sigmoid: where nothing is added to it, logits choose, and among equal logits the lowest id.
TEST(Route, SigmoidsThatTieAreToldApartByLogits) {
  expectChoice("score = sigmoid", {50, 60, 55}, {1, 2}, {1, 1});
  expectChoice("score = sigmoid", {50, 60, 60}, {1, 2}, {1, 1});
  expectChoice("score = sigmoid", {50, 60, 55}, {0, 1}, {1, 1}, {0, 0, 0});
}

TEST(Route, SqrtSoftplus) { expectChoice("score = sqrt_softplus", sqrtSoftplusOf({0.5, 2, 1, 1.5}), {1, 3}, {2, 1.5}); }

/// Of scores at most a quarter, relatively, below the best: for the first choice expert 3 is near and 1 is not, but both are for
/// the second, to which expert 0 is lost. What is measured by is the larger of the two sizes.
TEST(Route, SparseMixer) {
  double e = std::exp(-0.5);
  expectChoice("score = sparse_mixer, jitter_epsilon = 0.125", {4, 2.5, 1, 3}, {0, 3}, {1 / (1 + std::exp(-1.0)), 1 / (1 + e)});
  expectChoice("score = sparse_mixer", {4, 2.5, 1, 3}, {0, 3}, {1, 1});
  expectChoice("score = sparse_mixer", {1, 2, 2, 0}, {1, 2}, {0.5, 1});
  expectChoice("score = sparse_mixer, jitter_epsilon = 0.125", {-5, -4, -4.5}, {1, 2, 0},
               {1 / (1 + e + std::exp(-1.0)), 1 / (1 + e), 1});
  expectChoice("score = sparse_mixer, scale = 2.0", {0, 0, -1}, {0, 1}, {1, 2});
  expectChoice("score = sparse_mixer, renormalize = true", {1, 2, 2}, {1, 2}, {1.0 / 3, 2.0 / 3});
}

/// Where exp(logit) is infinite or zero: log(1 + e^x) is x or 0, a softmax all or nothing.
TEST(Route, LargeLogits) {
  expectChoice("score = sqrt_softplus", {-2500, 2500}, {1, 0}, {50, 0});
  expectChoice("score = softmax", {2500, -2500}, {0, 1}, {1, 0});
  expectChoice("score = softmax_topk", {-2500, 2500}, {1, 0}, {1, 0});
  expectChoice("score = sigmoid", {-2500, 2500}, {1, 0}, {1, 0});
}

/// The bias decides who is chosen, and in which order, but the weights are the scores without it, renormalised or not.
TEST(Route, BiasNeverReachesTheWeights) {
  Row sigmoids = sigmoidOf({0.5, 0.9, 0.2, 0.8}), bias = {0, 0, 1, 0};
  expectChoice("score = sigmoid", sigmoids, {2, 1}, {0.2, 0.9}, bias);
  expectChoice("score = sigmoid, renormalize = true", sigmoids, {2, 1}, {0.2 / 1.1, 0.9 / 1.1}, bias);
  expectChoice("score = sqrt_softplus", sqrtSoftplusOf({0.5, 2, 1, 1.5}), {0, 1}, {0.5, 2}, {9, 0, 0, 0});
  expectChoice("score = softmax", softmaxOf({1, 2, 3, 4}), {0, 3}, {0.1, 0.4}, {1, 0, 0, 0});
  expectChoice("score = softmax_topk", softmaxOf({1, 2, 3, 4}), {0, 3}, {1.0 / 5, 4.0 / 5}, {9, 0, 0, 0});
}

/// Renormalising comes first, with epsilon in the divisor, then the scale.
TEST(Route, RenormalizeThenScale) {
  Row logits = sigmoidOf({0.25, 0.5, 0.125});
  expectChoice("score = sigmoid, renormalize = true", logits, {1, 0}, {2.0 / 3, 1.0 / 3});
  expectChoice("score = sigmoid, renormalize = true, epsilon = 0.25", logits, {1, 0}, {0.5, 0.25});
  expectChoice("score = sigmoid, renormalize = true, epsilon = 0.25, scale = 2.5", logits, {1, 0}, {1.25, 0.625});
  expectChoice("score = sigmoid, scale = 16.0", logits, {1, 0}, {8, 4});
  expectChoice("score = sigmoid, epsilon = 0.25", logits, {1, 0}, {0.5, 0.25}); // no divisor without renormalising
  expectChoice("score = softmax, renormalize = true, scale = 2.0", softmaxOf({1, 2, 3, 4}), {3, 2}, {8.0 / 7, 6.0 / 7});
}

/// The epsilon is there for scores that are all zero.
TEST(Route, EpsilonSavesFromDividingByZero) {
  expectChoice("score = sqrt_softplus, renormalize = true, epsilon = 1.0e-20", {-2500, -2500}, {0, 1}, {0, 0});
}

/// Four groups of two, of which the two with the largest member stay: expert 3 would be chosen without groups.
TEST(Route, GroupsByTheirLargest) {
  Row logits = softmaxOf({30, 1, 2, 20, 25, 5, 8, 9});
  expectChoice("score = softmax", logits, {0, 4, 3}, {0.30, 0.25, 0.20});
  expectChoice("score = softmax, groups = 4, kept_groups = 2", logits, {0, 4, 5}, {0.30, 0.25, 0.05});
  expectChoice("score = softmax, groups = 4, kept_groups = 2, scale = 16.0", logits, {0, 4, 5}, {4.8, 4.0, 0.8});
}

/// Three groups of three: the first has the largest member, the second the largest two, the third the largest sum.
TEST(Route, GroupsByTheSumOfTwo) {
  Row logits = sigmoidOf({0.9, 0.05, 0.05, 0.6, 0.5, 0.05, 0.4, 0.4, 0.4});
  expectChoice("score = sigmoid, groups = 3, group_score = max", logits, {0, 1}, {0.9, 0.05});
  expectChoice("score = sigmoid, groups = 3, group_score = top2_sum", logits, {3, 4}, {0.6, 0.5});
}

/// Groups are weighed by their members' keys, so with the bias.
TEST(Route, GroupsSeeTheBias) {
  Row logits = sigmoidOf({0.9, 0.05, 0.05, 0.6, 0.5, 0.05, 0.4, 0.4, 0.3}), bias = {0, 0, 0, 0, 0, 0, 0, 0, 1};
  expectChoice("score = sigmoid, groups = 3, group_score = top2_sum", logits, {8, 6}, {0.3, 0.4}, bias);
  expectChoice("score = sigmoid, groups = 3, group_score = max", logits, {8, 6}, {0.3, 0.4}, bias);
}

/// With negative keys in the kept group, dropped experts that count as zero come before them; at minus infinity they never do.
TEST(Route, MaskFill) {
  Row logits = sigmoidOf({0.5, 0.6, 0.2, 0.3}), bias = {-1, -1, -1, -1};
  expectChoice("score = sigmoid, groups = 2", logits, {1, 0}, {0.6, 0.5}, bias);
  expectChoice("score = sigmoid, groups = 2, mask_fill = zero", logits, {2, 3}, {0.2, 0.3}, bias);
}

TEST(Route, TiesGoToTheLowestId) {
  expectChoice("score = softmax", {1, 1, 1, 1}, {0, 1, 2}, {0.25, 0.25, 0.25});
  expectChoice("score = sigmoid", {0, 2, 0, 2, 0}, {1, 3, 0}, {1 / (1 + std::exp(-2)), 1 / (1 + std::exp(-2)), 0.5});
}

TEST(Route, TiesBetweenGroupsGoToTheLowest) {
  expectChoice("score = sigmoid, groups = 3, kept_groups = 2, group_score = top2_sum", {0, 0, 0, 0, 0, 0}, {0, 1, 2, 3},
               {0.5, 0.5, 0.5, 0.5});
}

const char *routeByTable = R"(
  func.func @f(%logits: tensor<?x4xf32>, %table: tensor<3x2xi32>, %tokens: tensor<?xi32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
    %ids, %weights = moe.route %logits table %table (tensor<3x2xi32>) for %tokens
      {routing = #moe.routing<k = 2, score = sqrt_softplus, renormalize = true, epsilon = 1.0e-20, scale = 1.5>}
      : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
    return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
  })";

/// The token's row of the table names the experts, in its order and whatever their scores; weights are computed as ever.
TEST(Route, Table) {
  Row logits = sqrtSoftplusOf({0.5, 2, 1, 1.5});
  std::vector<Tensor> results = evaluate(routeByTable, {rows({logits, logits}), rows({{0, 1}, {3, 0}, {2, 3}}), vector({2, 1})});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {{2, 3}, {3, 0}});
  expectRows(results[1], {{1.5 * 1 / 2.5, 1.5 * 1.5 / 2.5}, {1.5 * 1.5 / 2, 1.5 * 0.5 / 2}});
}

TEST(Route, TableRefusesIdsBeyondIt) {
  Tensor logits = rows({{0, 0, 0, 0}});
  EXPECT_EQ(refusal(routeByTable, {logits, rows({{0, 1}, {3, 0}, {2, 3}}), vector({3})}), "expected token ids below 3, got 3");
  EXPECT_EQ(refusal(routeByTable, {logits, rows({{0, 1}, {3, 4}, {2, 3}}), vector({1})}),
            "expected expert ids below 4 in the table, got 4");
}

} // namespace
