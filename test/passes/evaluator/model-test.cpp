// Embedding, caches, the choice of outputs, groups of row-wise ops, and upstream arithmetic between them.
#include "test/passes/evaluator/Evaluation.h"

#include "gtest/gtest.h"

#include <bit>
#include <cmath>

using namespace moec::test;

namespace {

const char *embed = R"(
  func.func @f(%ids: tensor<?xi32>, %table: tensor<3x2xf32>) -> tensor<?x2xf32> {
    %x = moe.embed %ids, %table : tensor<3x2xf32> -> tensor<?x2xf32>
    return %x : tensor<?x2xf32>
  })";

TEST(Embed, RowsByToken) {
  std::vector<Tensor> results = evaluate(embed, {vector({2, 0, 2}), rows({{1, 2}, {3, 4}, {5, 6}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{5, 6}, {1, 2}, {5, 6}});
}

TEST(Embed, RefusesIdsBeyondTheTable) {
  for (double id : {-1, 3})
    EXPECT_EQ(refusal(embed, {vector({0, id}), rows({{1, 2}, {3, 4}, {5, 6}})}),
              "expected token ids below 3, got " + std::to_string(int(id)));
}

const char *sample = R"(
  func.func @f(%logits: tensor<?x4xf32>, %settings: tensor<?x5xi32>) -> tensor<?x1xi32> {
    %token = moe.sample %logits by %settings : tensor<?x4xf32>
    return %token : tensor<?x1xi32>
  })";

/// Logits of odds 1, 4, 2 and 3 at temperature 1, of which a random number just below and at the ends of their tenths draws one
/// after the other; of the two likeliest, those of 4/7 and 3/7; of the likeliest that weigh 0.69, the same; then the largest.
TEST(Sample, DrawsInProportion) {
  const double scale = std::bit_cast<int32_t>(float(1 / std::log(2.0))), unit = 0x1p32;
  const double logits[] = {std::log(1.0f), std::log(4.0f), std::log(2.0f), std::log(3.0f)};
  struct Draw {
    double kept, share, random;
    int id;
  };
  std::vector<std::vector<double>> settings{{0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}}, expected{{-1}, {1}};
  for (Draw draw : std::initializer_list<Draw>{{0, 0, 0.099, 0},
                                               {0, 0, 0.101, 1},
                                               {0, 0, 0.499, 1},
                                               {0, 0, 0.501, 2},
                                               {0, 0, 0.701, 3},
                                               {2, 0, 0.57, 1},
                                               {2, 0, 0.58, 3},
                                               {0, 0.69, 0.57, 1},
                                               {0, 0.69, 0.58, 3},
                                               {0, 0.71, 0.44, 1},
                                               {0, 0.71, 0.45, 2},
                                               {2, 0.5, 0.999, 1}}) {
    settings.push_back({2, scale, draw.kept, std::floor(draw.share * unit), std::floor(draw.random * unit)});
    expected.push_back({double(draw.id)});
  }
  std::vector<std::vector<double>> all(settings.size(), {std::begin(logits), std::end(logits)});
  expectRows(evaluate(sample, {rows(all), rows(settings)})[0], expected);
}

/// Appends a column and two more as one row of three.
const char *append = R"(
  moe.cache @c : tensor<?x3xf32>
  func.func @f(%a: tensor<?x1xf32>, %b: tensor<?x2xf32>, %batch: !moe.batch) {
    moe.append %a, %b to @c at %batch : tensor<?x1xf32>, tensor<?x2xf32>
    return
  })";

/// A ragged batch: the first sequence goes on after one position, the second begins, the third has nothing new.
TEST(Append, ToEachTokensSequenceAndPosition) {
  Caches caches;
  caches.rows("c", 0) = {{0, 0, 0}};
  caches.rows("c", 2) = {{9, 9, 9}};
  evaluate(append,
           {rows({{1}, {2}, {3}, {4}}), rows({{10, 20}, {30, 40}, {50, 60}, {70, 80}}), Batch({{1, 1}, {0, 3}, {1, 0}}, {})},
           caches);
  EXPECT_EQ(caches.rows("c", 0), (Caches::Rows{{0, 0, 0}, {1, 10, 20}}));
  EXPECT_EQ(caches.rows("c", 1), (Caches::Rows{{2, 30, 40}, {3, 50, 60}, {4, 70, 80}}));
  EXPECT_EQ(caches.rows("c", 2), (Caches::Rows{{9, 9, 9}}));
}

/// A step that goes back to an earlier position writes over what is there and leaves what follows.
TEST(Append, OverwritesEarlierPositions) {
  Caches caches;
  caches.rows("c", 0) = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}};
  evaluate(append, {rows({{7}}), rows({{8, 9}}), Batch::single(1, 1)}, caches);
  EXPECT_EQ(caches.rows("c", 0), (Caches::Rows{{0, 0, 0}, {7, 8, 9}, {2, 2, 2}}));
}

TEST(Append, RefusesToLeaveAGap) {
  Caches caches;
  caches.rows("c", 0) = {{0, 0, 0}};
  EXPECT_EQ(refusal(append, {rows({{7}}), rows({{8, 9}}), Batch::single(2, 1)}, caches),
            "cache 'c' holds 1 positions of sequence 0, cannot append position 2");
}

/// Nearest, ties to even: 1 + 2^-8 to 1, 1 + 3 x 2^-8 to 1 + 2^-6.
TEST(Append, RoundsToTheCachesType) {
  Caches caches;
  evaluate(R"(
    moe.cache @c : tensor<?x3xbf16>
    func.func @f(%a: tensor<?x3xf32>, %batch: !moe.batch) {
      moe.append %a to @c at %batch : tensor<?x3xf32>
      return
    })",
           {rows({{1 + 0x1p-8, 1 + 3 * 0x1p-8, -1.5}}), Batch::single(0, 1)}, caches);
  EXPECT_EQ(caches.rows("c", 0), (Caches::Rows{{1, 1 + 0x1p-6, -1.5}}));
}

TEST(GatherOutputs, RowsThatTheBatchWants) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %batch: !moe.batch) -> tensor<?x2xf32> {
      %y = moe.gather_outputs %x at %batch : tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 2}, {3, 4}, {5, 6}}), Batch({{0, 2}, {7, 1}}, {1, 2})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{3, 4}, {5, 6}});
}

/// Rows of outputs are not rows of tokens, though their types are the same.
TEST(GatherOutputs, RefusesToMixRowsOfOutputsAndTokens) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %batch: !moe.batch) -> tensor<?x2xf32> {
      %y = moe.gather_outputs %x at %batch : tensor<?x2xf32>
      %z = arith.addf %x, %y : tensor<?x2xf32>
      return %z : tensor<?x2xf32>
    })";
  EXPECT_EQ(refusal(text, {rows({{1, 2}, {3, 4}}), Batch({{0, 2}}, {1})}), "expected operands of one shape, got 2, 2 and 1, 2");
}

TEST(Columns, RangeOfEveryRow) {
  const char *text = R"(
    func.func @f(%x: tensor<?x4xf32>) -> tensor<?x2xf32> {
      %y = moe.columns %x from 1 : tensor<?x4xf32> -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 2, 3, 4}, {5, 6, 7, 8}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{2, 3}, {6, 7}});
}

/// A group means what its region means; what it yields may be an argument, and its cache writes stay.
TEST(Rowwise, MeansItsRegion) {
  Caches caches;
  const char *text = R"(
    moe.cache @c : tensor<?x2xf32>
    func.func @f(%x: tensor<?x2xf32>, %y: tensor<?x2xf32>, %w: tensor<2xf32>, %batch: !moe.batch)
        -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
      %sum, %normed, %same = moe.rowwise(%x, %y, %w, %batch)
          : (tensor<?x2xf32>, tensor<?x2xf32>, tensor<2xf32>, !moe.batch) -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
      ^bb0(%a: tensor<?x2xf32>, %b: tensor<?x2xf32>, %v: tensor<2xf32>, %at: !moe.batch):
        %s = arith.addf %a, %b : tensor<?x2xf32>
        %n = moe.rms_norm %s, %v {epsilon = 0.0 : f64} : tensor<?x2xf32>, tensor<2xf32>
        moe.append %n to @c at %at : tensor<?x2xf32>
        moe.yield %s, %n, %b : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
      }
      return %sum, %normed, %same : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 3}}), rows({{0, 4}}), vector({10, 20}), Batch::single(0, 1)}, caches);
  ASSERT_EQ(results.size(), 3u);
  expectRows(results[0], {{1, 7}});
  expectRows(results[1], {{2, 28}});
  expectRows(results[2], {{0, 4}});
  ASSERT_EQ(caches.rows("c", 0).size(), 1u);
  expectRows(rows(caches.rows("c", 0)), {{2, 28}});
}

TEST(Arguments, NeedABodyToGoTo) {
  EXPECT_EQ(refusal("func.func private @f()", {}), "expected a function with a body of one block to evaluate");
}

TEST(Arguments, MustHaveTheParametersTypes) {
  const char *text = "func.func @f(%a: tensor<?x2xf32>) -> tensor<?x2xf32> { return %a : tensor<?x2xf32> }";
  EXPECT_EQ(refusal(text, {rows({{1, 2, 3}})}), "argument 0 does not have the type 'tensor<?x2xf32>'");
  EXPECT_EQ(refusal(text, {Batch::single(0, 1)}), "argument 0 does not have the type 'tensor<?x2xf32>'");
  EXPECT_EQ(refusal(text, {}), "expected 1 arguments, got 0");
}

} // namespace
