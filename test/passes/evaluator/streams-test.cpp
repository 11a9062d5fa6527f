// Residual streams side by side: weights, merging, mixing, on numbers that a reader can follow.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace moec::test;

namespace {

/// Weights of two streams whose scale is 1 and whose base is 0.
Tensor weights(const Rows &input, const std::string &attributes) {
  int64_t columns = int64_t(input[0].size()), parts = columns == 2 ? 1 : 3;
  const char *text = R"(
    func.func @f(%x: tensor<?x{0}xf32>, %scale: tensor<{1}xf32>, %base: tensor<{0}xf32>) -> tensor<?x{0}xf32> {{
      %w = moe.stream_weights %x, %scale, %base {{streams = 2 : i64, {2}} : tensor<?x{0}xf32>, tensor<{1}xf32>, tensor<{0}xf32>
      return %w : tensor<?x{0}xf32>
    })";
  std::vector<Tensor> results =
      evaluate(llvm::formatv(text, columns, parts, attributes),
               {rows(input), vector(std::vector<double>(size_t(parts), 1)), vector(std::vector<double>(size_t(columns)))});
  return results.empty() ? Tensor() : results[0];
}

/// The logarithm of the odds.
double logit(double share) { return std::log(share / (1 - share)); }

TEST(StreamWeights, OfAHead) {
  expectRows(weights({{logit(0.25), logit(0.5)}}, "iterations = 1 : i64, epsilon = 1.25e-1 : f64"), {{0.375, 0.625}});
}

/// One iteration: shares of each row, then columns divided by their sums.
TEST(StreamWeights, OfALayer) {
  double ln3 = std::log(3.0);
  expectRows(
      weights({{logit(0.25), logit(0.5), logit(0.25), logit(0.5), 0, ln3, 0, 0}}, "iterations = 1 : i64, epsilon = 0.0 : f64"),
      {{0.25, 0.5, 0.5, 1, 0.25 / 0.75, 0.75 / 1.25, 0.5 / 0.75, 0.5 / 1.25}});
}

/// Many iterations: rows and columns add up to one.
TEST(StreamWeights, DoublyStochastic) {
  Tensor w = weights({{0, 0, 0, 0, 1, -2, 3, 0.5}}, "iterations = 200 : i64, epsilon = 0.0 : f64");
  const std::vector<double> &m = w.elements;
  EXPECT_NEAR(m[4] + m[5], 1, 1e-12);
  EXPECT_NEAR(m[4] + m[6], 1, 1e-12);
  EXPECT_NEAR(m[6] + m[7], 1, 1e-12);
  EXPECT_GT(m[5], 0);
}

TEST(StreamWeights, ScaleAndBaseOfParts) {
  const char *text = R"(
    func.func @f(%x: tensor<?x3xf32>, %scale: tensor<3xf32>, %base: tensor<3xf32>) -> tensor<?x3xf32> {
      %w = moe.stream_weights %x, %scale, %base {streams = 1 : i64, iterations = 3 : i64, epsilon = 0.0 : f64} : tensor<?x3xf32>, tensor<3xf32>, tensor<3xf32>
      return %w : tensor<?x3xf32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{1, 1, 7}}), vector({logit(0.2), logit(0.3), 9}), vector({0, logit(0.7), 4})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{0.2, 1, 1}});
}

TEST(Streams, MergeAndMix) {
  const char *text = R"(
    func.func @f(%streams: tensor<?x4xf32>, %y: tensor<?x2xf32>, %w: tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x4xf32>) {
      %x = moe.merge_streams %streams by %w : tensor<?x4xf32>, tensor<?x8xf32> -> tensor<?x2xf32>
      %next = moe.mix_streams %y into %streams by %w : tensor<?x2xf32>, tensor<?x4xf32>, tensor<?x8xf32>
      return %x, %next : tensor<?x2xf32>, tensor<?x4xf32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{1, 2, 10, 20}}), rows({{100, 1000}}), rows({{3, 4, 5, 6, 0.1, 0.2, 0.3, 0.4}})});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {{43, 86}});
  expectRows(results[1], {{500 + 0.1 + 3, 5000 + 0.2 + 6, 600 + 0.2 + 4, 6000 + 0.4 + 8}});
}

/// An embedding begins every stream.
TEST(Streams, Embedding) {
  const char *text = R"(
    func.func @f(%ids: tensor<?xi32>, %table: tensor<2x2xf32>) -> tensor<?x6xf32> {
      %x = moe.embed %ids, %table : tensor<2x2xf32> -> tensor<?x6xf32>
      return %x : tensor<?x6xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {vector({1}), rows({{1, 2}, {3, 4}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{3, 4, 3, 4, 3, 4}});
}

/// Each group of columns has a matrix of its own.
TEST(GroupedLinear, BlockDiagonal) {
  const char *text = R"(
    func.func @f(%x: tensor<?x4xf32>, %w: tensor<2x2xf32>) -> tensor<?x2xf32> {
      %y = moe.grouped_linear %x, %w : tensor<?x4xf32>, tensor<2x2xf32> -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 2, 3, 4}}), rows({{10, 1}, {100, 1}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{12, 304}});
}

} // namespace
