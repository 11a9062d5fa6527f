// moe.attention and both forms of latent attention. Keys are logarithms, so that probabilities are shares of whole numbers.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace moec::test;

namespace {

double key(double share) { return std::log(share); }

/// Keys and values of one head and one column: position p has the share p + 1 and the value 10 (p + 1).
Caches fourPositions() {
  Caches caches;
  caches.rows("keys", 0) = {{key(1)}, {key(2)}, {key(3)}, {key(4)}};
  caches.rows("values", 0) = {{10}, {20}, {30}, {40}};
  return caches;
}

/// Attention of one head of one column with `attributes` beside head_dim.
Tensor attend(const Rows &query, const Batch &batch, Caches caches, const std::string &attributes) {
  const char *text = R"(
    moe.cache @keys : tensor<?x1xf32>
    moe.cache @values : tensor<?x1xf32>
    func.func @f(%q: tensor<?x1xf32>, %batch: !moe.batch) -> tensor<?x1xf32> {{
      %o = moe.attention %q over @keys, @values at %batch {{head_dim = 1 : i64, {0}} : tensor<?x1xf32> -> tensor<?x1xf32>
      return %o : tensor<?x1xf32>
    })";
  std::vector<Tensor> results = evaluate(llvm::formatv(text, attributes), {rows(query), batch}, caches);
  return results.empty() ? Tensor() : results[0];
}

Tensor attendFromTheEnd(const std::string &attributes) { return attend({{1}}, Batch::single(3, 1), fourPositions(), attributes); }
Tensor attendFromEverywhere(const std::string &attributes) {
  return attend({{1}, {1}, {1}, {1}}, Batch::single(0, 4), fourPositions(), attributes);
}

TEST(Attention, SoftmaxOverThePast) { expectRows(attendFromTheEnd("scale = 1.0 : f64"), {{1 + 4 + 9 + 16}}); }

/// Each of four new tokens sees itself and what was before it.
TEST(Attention, Causal) {
  expectRows(attendFromEverywhere("scale = 1.0 : f64"), {{10}, {(10 + 40) / 3.0}, {(10 + 40 + 90) / 6.0}, {30}});
}

TEST(Attention, Scale) {
  expectRows(attend({{4}}, Batch::single(3, 1), fourPositions(), "scale = 2.5e-1 : f64"), {{30}});
  // Scores of twice the logarithm: shares are squares.
  expectRows(attendFromTheEnd("scale = 2.0 : f64"), {{(10 + 80 + 270 + 640) / 30.0}});
}

TEST(Attention, Window) {
  expectRows(attendFromEverywhere("scale = 1.0 : f64, window = 2 : i64"),
             {{10}, {50 / 3.0}, {(40 + 90) / 5.0}, {(90 + 160) / 7.0}});
  expectRows(attendFromEverywhere("scale = 1.0 : f64, window = 1 : i64"), {{10}, {20}, {30}, {40}});
  expectRows(attendFromTheEnd("scale = 1.0 : f64, window = 4 : i64"), {{30}});
  expectRows(attendFromTheEnd("scale = 1.0 : f64, window = 100 : i64"), {{30}});
}

/// Positions 0 and 1 are one chunk, 2 and 3 the next; a window of two would let position 2 see position 1.
TEST(Attention, Chunk) {
  expectRows(attendFromEverywhere("scale = 1.0 : f64, chunk = 2 : i64"), {{10}, {50 / 3.0}, {30}, {(90 + 160) / 7.0}});
  expectRows(attendFromEverywhere("scale = 1.0 : f64, chunk = 3 : i64"), {{10}, {50 / 3.0}, {140 / 6.0}, {40}});
}

/// 2 tanh(s / 2) is the share's logarithm, where s is the score after the scale.
TEST(Attention, SoftCap) {
  Caches caches = fourPositions();
  for (int share = 1; share <= 4; ++share)
    caches.rows("keys", 0)[share - 1] = {2 * 2 * std::atanh(std::log(share) / 2)};
  expectRows(attend({{1}}, Batch::single(3, 1), caches, "scale = 0.5 : f64, soft_cap = 2.0 : f64"), {{30}});
}

/// Scores far beyond exp's range.
TEST(Attention, LargeScores) {
  Caches caches = fourPositions();
  caches.rows("keys", 0) = {{-9000}, {9000}, {9000}, {0}};
  expectRows(attend({{1}}, Batch::single(3, 1), caches, "scale = 1.0 : f64"), {{25}});
}

/// Four heads over two key/value heads whose values are two columns wide. A sink takes a share of the sum and gives nothing.
const char *groupedAttention = R"(
  moe.cache @keys : tensor<?x2xf32>
  moe.cache @values : tensor<?x4xf32>
  func.func @f(%q: tensor<?x4xf32>, %batch: !moe.batch, %sinks: tensor<4xf32>) -> tensor<?x8xf32> {{
    %o = moe.attention %q over @keys, @values at %batch {0} {{head_dim = 1 : i64, scale = 1.0 : f64{1}}
      : tensor<?x4xf32> -> tensor<?x8xf32>
    return %o : tensor<?x8xf32>
  })";

Tensor attendGrouped(const std::string &sinks, const std::string &attributes) {
  Caches caches;
  caches.rows("keys", 0) = {{key(1), key(4)}, {key(3), key(1)}};
  caches.rows("values", 0) = {{10, 20, 100, 200}, {30, 40, 300, 400}};
  std::vector<Tensor> results =
      evaluate(llvm::formatv(groupedAttention, sinks, attributes),
               {rows({{1, 2, 1, 2}}), Batch::single(1, 1), vector({key(4), key(10), key(1), key(3)})}, caches);
  return results.empty() ? Tensor() : results[0];
}

/// Heads 0 and 1 have the shares 1 : 3 and 1 : 9 of the first key/value head, heads 2 and 3 those of 4 : 1 and 16 : 1 of the
/// second.
TEST(Attention, GroupedHeads) {
  expectRows(attendGrouped("", ""), {{(10 + 90) / 4.0, (20 + 120) / 4.0, (10 + 270) / 10.0, (20 + 360) / 10.0, (400 + 300) / 5.0,
                                      (800 + 400) / 5.0, (1600 + 300) / 17.0, (3200 + 400) / 17.0}});
}

TEST(Attention, Sinks) {
  const std::string sinks = "sinks %sinks (tensor<4xf32>)";
  expectRows(attendGrouped(sinks, ""), {{(10 + 90) / 8.0, (20 + 120) / 8.0, (10 + 270) / 20.0, (20 + 360) / 20.0, (400 + 300) / 6.0,
                                         (800 + 400) / 6.0, (1600 + 300) / 20.0, (3200 + 400) / 20.0}});
  expectRows(attendGrouped(sinks, ", window = 1 : i64"),
             {{90 / 7.0, 120 / 7.0, 270 / 19.0, 360 / 19.0, 300 / 2.0, 400 / 2.0, 300 / 4.0, 400 / 4.0}});
}

/// Three sequences: two new tokens without a past, none at all, one after two positions. None sees another's rows.
TEST(Attention, RaggedBatch) {
  Caches caches;
  caches.rows("keys", 0) = {{key(1)}, {key(4)}};
  caches.rows("values", 0) = {{10}, {20}};
  caches.rows("keys", 2) = {{key(1)}, {key(2)}, {key(1)}};
  caches.rows("values", 2) = {{1}, {2}, {3}};
  expectRows(attend({{1}, {1}, {1}}, Batch({{0, 2}, {5, 0}, {2, 1}}, {}), caches, "scale = 1.0 : f64"), {{10}, {18}, {2}});
}

/// Query, keys and values are rounded where they enter a product: 1 - 2^-9 to 1, 176.6 / 256 to 177 / 256, 256.5 to 256. The second
/// position's share is then 170.57 / 256 (it would be 170.48 for the key as it is, 170.49 for the query as it is), rounded too.
TEST(Attention, ComputeInBF16) {
  Caches caches;
  caches.rows("keys", 0) = {{0}, {176.6 / 256}};
  caches.rows("values", 0) = {{0}, {256.5}};
  expectRows(attend({{1 - 0x1p-9}}, Batch::single(1, 1), caches, "scale = 1.0 : f64, compute = #moe<compute bf16>"), {{171}});
}

TEST(Attention, RefusesPositionsThatWereNotAppended) {
  const char *text = R"(
    moe.cache @c : tensor<?x1xf32>
    func.func @f(%q: tensor<?x1xf32>, %batch: !moe.batch) -> tensor<?x1xf32> {
      %o = moe.attention %q over @c, @c at %batch {head_dim = 1 : i64, scale = 1.0 : f64} : tensor<?x1xf32> -> tensor<?x1xf32>
      return %o : tensor<?x1xf32>
    })";
  EXPECT_EQ(refusal(text, {rows({{1}}), Batch::single(2, 1)}),
            "expected cache 'c' to hold position 2 of sequence 0, got 0 positions; is a moe.append missing?");
}

/// Two heads over a latent of three columns and a rotated key of one. W_UK takes the first column for head 0 and the second for
/// head 1; W_UV the third, once and twice.
class LatentAttention : public testing::TestWithParam<const char *> {
protected:
  Tensor attend(const Rows &query, const Batch &batch, Caches caches, const std::string &attributes) {
    const char *text = R"(
          moe.cache @latent : tensor<?x4xf32>
          func.func @f(%q: tensor<?x4xf32>, %batch: !moe.batch, %key_up: tensor<2x1x3xf32>, %value_up: tensor<2x1x3xf32>)
              -> tensor<?x2xf32> {{
            %o = moe.{0} %q over @latent at %batch with %key_up, %value_up {{{1}}
              : tensor<?x4xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32> -> tensor<?x2xf32>
            return %o : tensor<?x2xf32>
          })";
    std::vector<Tensor> results =
        evaluate(llvm::formatv(text, GetParam(), attributes),
                 {rows(query), batch, matrices({{{1, 0, 0}}, {{0, 1, 0}}}), matrices({{{0, 0, 1}}, {{0, 0, 2}}})}, caches);
    return results.empty() ? Tensor() : results[0];
  }

  /// Of position p: the first column and the rotated key each give half of ln(p + 1), the second ln(4 - p), the third is 10 (p +
  /// 1).
  static Caches fourPositions() {
    Caches caches;
    for (int p = 0; p < 4; ++p)
      caches.rows("latent", 0).push_back({key(p + 1) / 2, key(4 - p), 10.0 * (p + 1), key(p + 1) / 2});
    return caches;
  }
};

/// Head 0 asks for both parts of its key, head 1 for its second column alone, so it has the shares 4 : 3 : 2 : 1.
TEST_P(LatentAttention, SharesOfThePast) {
  expectRows(attend({{1, 1, 1, 0}}, Batch::single(3, 1), fourPositions(), "scale = 1.0 : f64"), {{30, 2 * 20}});
  expectRows(attend({{4, 4, 4, 0}}, Batch::single(3, 1), fourPositions(), "scale = 2.5e-1 : f64"), {{30, 2 * 20}});
}

/// The rotated key alone, which all heads share: shares are 1, sqrt 2, sqrt 3 and 2.
TEST_P(LatentAttention, SharedRotatedKey) {
  double mean = (10 + 20 * std::sqrt(2) + 30 * std::sqrt(3) + 40 * 2) / (1 + std::sqrt(2) + std::sqrt(3) + 2);
  expectRows(attend({{0, 1, 0, 1}}, Batch::single(3, 1), fourPositions(), "scale = 1.0 : f64"), {{mean, 2 * mean}});
}

TEST_P(LatentAttention, Causal) {
  expectRows(attend({{1, 1, 1, 0}, {1, 1, 1, 0}, {1, 1, 1, 0}}, Batch::single(1, 3), fourPositions(), "scale = 1.0 : f64"),
             {{50 / 3.0, 2 * 100 / 7.0}, {140 / 6.0, 2 * 160 / 9.0}, {30, 40}});
}

TEST_P(LatentAttention, RaggedBatch) {
  Caches caches;
  caches.rows("latent", 0) = {{key(1), 0, 10, 0}, {key(4), 0, 20, 0}};
  caches.rows("latent", 2) = {{key(1), 0, 1, 0}, {key(2), 0, 2, 0}, {key(1), 0, 3, 0}};
  expectRows(attend({{1, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}}, Batch({{0, 2}, {5, 0}, {2, 1}}, {}), caches, "scale = 1.0 : f64"),
             {{10, 20}, {18, 2 * 15}, {2, 2 * 2}});
}

/// One position, so that only what becomes of the latent shows: 256.5 enters the product with W_UV as 256.
TEST_P(LatentAttention, ComputeInBF16) {
  Caches caches;
  caches.rows("latent", 0) = {{0, 0, 256.5, 0}};
  expectRows(attend({{0, 0, 0, 0}}, Batch::single(0, 1), caches, "scale = 1.0 : f64, compute = #moe<compute bf16>"), {{256, 512}});
}

/// Of positions 1 and 3 alone; a list may be longer than what it holds.
TEST_P(LatentAttention, AmongPositions) {
  const char *text = R"(
        moe.cache @latent : tensor<?x4xf32>
        func.func @f(%q: tensor<?x4xf32>, %batch: !moe.batch, %key_up: tensor<2x1x3xf32>, %value_up: tensor<2x1x3xf32>,
                     %positions: tensor<?x3xi32>) -> tensor<?x2xf32> {{
          %o = moe.{0} %q over @latent at %batch among %positions (tensor<?x3xi32>) with %key_up, %value_up {{scale = 1.0 : f64}
            : tensor<?x4xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32> -> tensor<?x2xf32>
          return %o : tensor<?x2xf32>
        })";
  Caches caches = fourPositions();
  std::vector<Tensor> results = evaluate(llvm::formatv(text, GetParam()),
                                         {rows({{1, 1, 1, 0}}), Batch::single(3, 1), matrices({{{1, 0, 0}}, {{0, 1, 0}}}),
                                          matrices({{{0, 0, 1}}, {{0, 0, 2}}}), rows({{1, 3, -1}})},
                                         caches);
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{(2 * 20 + 4 * 40) / 6.0, 2 * (3 * 20 + 1 * 40) / 4.0}});
}

INSTANTIATE_TEST_SUITE_P(Forms, LatentAttention, testing::Values("latent_attention", "absorbed_attention"));

/// Two heads of one column. Position p scores 2 max(p - 1, 0) + max(1 - p, 0): 1, 0, 2, 4; then what equals those.
TEST(SelectPositions, BestInOrderOfPosition) {
  Caches caches;
  caches.rows("keys", 0) = {{-1}, {0}, {1}, {2}, {0}, {0}};
  auto select = [&](int k, int64_t position) {
    const char *text = R"(
      moe.cache @keys : tensor<?x1xf32>
      func.func @f(%q: tensor<?x2xf32>, %w: tensor<?x2xf32>, %batch: !moe.batch) -> tensor<?x{0}xi32> {{
        %p = moe.select_positions %q, %w over @keys at %batch : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x{0}xi32>
        return %p : tensor<?x{0}xi32>
      })";
    std::vector<Tensor> results =
        evaluate(llvm::formatv(text, k), {rows({{1, -1}}), rows({{2, 1}}), Batch::single(position, 1)}, caches);
    return results.empty() ? Tensor() : results[0];
  };
  expectRows(select(2, 3), {{2, 3}});
  expectRows(select(3, 3), {{0, 2, 3}});
  expectRows(select(4, 5), {{0, 1, 2, 3}});  // ties at 0 go to the lowest
  expectRows(select(4, 2), {{0, 1, 2, -1}}); // what comes later is not visible
}

/// Attention of one head with a W_UK of two rows, from the nope part (1, 1) and the rotated part 1.
Tensor attendInBF16(const std::string &form, const Rows &keyUp, const Rows &latent) {
  Caches caches;
  caches.rows("latent", 0) = latent;
  const char *text = R"(
        moe.cache @latent : tensor<?x2xf32>
        func.func @f(%q: tensor<?x3xf32>, %batch: !moe.batch, %key_up: tensor<1x2x1xf32>, %value_up: tensor<1x1x1xf32>)
            -> tensor<?x1xf32> {{
          %o = moe.{0} %q over @latent at %batch with %key_up, %value_up {{scale = 1.0 : f64, compute = #moe<compute bf16>}
            : tensor<?x3xf32>, tensor<1x2x1xf32>, tensor<1x1x1xf32> -> tensor<?x1xf32>
          return %o : tensor<?x1xf32>
        })";
  std::vector<Tensor> results =
      evaluate(llvm::formatv(text, form), {rows({{1, 1, 1}}), Batch::single(1, 1), matrices({keyUp}), matrices({{{1}}})}, caches);
  return results.empty() ? Tensor() : results[0];
}

/// With W_UK = (1, 2^-9): as written, a key's parts 256 and 1/2 are exact, and the scores 0 and 1/2. Absorbed, W_UK meets the query
/// first: 1 + 2^-9 is rounded to 1, and both scores are 0.
TEST(LatentAttention, RoundsWhatEntersEachProduct) {
  double share = std::round(256 * std::exp(0.5) / (1 + std::exp(0.5))) / 256;
  expectRows(attendInBF16("latent_attention", {{1}, {0x1p-9}}, {{0, 0}, {256, -256}}), {{share * 256}});
  expectRows(attendInBF16("absorbed_attention", {{1}, {0x1p-9}}, {{0, 0}, {256, -256}}), {{128}});
}

/// A key's part 256 + 1/2 is rounded to 256, so that both scores are 0.
TEST(LatentAttention, RoundsExpandedKeys) {
  expectRows(attendInBF16("latent_attention", {{0}, {1 + 0x1p-9}}, {{0, 0}, {256, -256}}), {{128}});
}

/// Two equal shares: as written, the values 256 and 258 have the mean 257; absorbed, the mean of the latents is rounded.
TEST(LatentAttention, RoundsTheMeanOfLatents) {
  expectRows(attendInBF16("latent_attention", {{1}, {0x1p-9}}, {{256, -256.5}, {258, -258.5}}), {{257}});
  expectRows(attendInBF16("absorbed_attention", {{1}, {0x1p-9}}, {{256, -256}, {258, -258}}), {{256}});
}

/// Two sequences of two queries and three keys, of one head of one column, `after` keys and values.
Tensor attendRows(const std::string &after, const std::string &attributes, const Tensor &bias) {
  const char *text = R"(
    func.func @f(%q: tensor<?x1xf32>, %k: tensor<?x1xf32>, %v: tensor<?x1xf32>, %lengths: tensor<?xi64>, %first: tensor<?xi64>,
                 %bias: tensor<?x1x?x?xf32>) -> tensor<?x1xf32> {{
      %o = moe.attention %q across %k, %v : tensor<?x1xf32>, tensor<?x1xf32> of %lengths {0} {{head_dim = 1 : i64, scale = 1.0 : f64{1}}
        : tensor<?x1xf32> -> tensor<?x1xf32>
      return %o : tensor<?x1xf32>
    })";
  std::vector<Tensor> results =
      evaluate(llvm::formatv(text, after, attributes),
               {rows({{1}, {1}, {1}, {1}}), rows({{key(1)}, {key(2)}, {key(3)}, {key(1)}, {key(2)}, {key(9)}}),
                rows({{10}, {20}, {30}, {40}, {50}, {60}}), Tensor({2}, {3, 2}), Tensor({2}, {1, 1}), bias});
  return results.empty() ? Tensor() : results[0];
}

const Tensor noBias({1, 1, 1, 1}, {0});

/// The second sequence has two keys; what lies behind is seen by none.
TEST(RowAttention, AllKeysOfASequence) {
  expectRows(attendRows("", "", noBias), {{140 / 6.0}, {140 / 6.0}, {140 / 3.0}, {140 / 3.0}});
}

/// Queries are at positions 1 and 2, the latter of which the second sequence does not have.
TEST(RowAttention, FromAPosition) {
  expectRows(attendRows("from %first", "", noBias), {{50 / 3.0}, {140 / 6.0}, {140 / 3.0}, {0}});
  expectRows(attendRows("from %first", ", window = 1 : i64", noBias), {{20}, {30}, {50}, {0}});
}

/// A bias of log 2 doubles a share, and one of minus infinity hides a key.
TEST(RowAttention, Bias) {
  double hidden = -std::numeric_limits<double>::infinity();
  Tensor forKeys({1, 1, 1, 3}, {std::log(2), 0, hidden});
  expectRows(attendRows("bias %bias : tensor<?x1x?x?xf32>", "", forKeys), {{60 / 4.0}, {60 / 4.0}, {180 / 4.0}, {180 / 4.0}});
  Tensor forQueries({2, 1, 2, 1}, {0, hidden, hidden, hidden});
  expectRows(attendRows("bias %bias : tensor<?x1x?x?xf32>", "", forQueries), {{140 / 6.0}, {0}, {0}, {0}});
}

/// Both forms of latent attention, and the same keys and values told head by head, say the same.
TEST(RowAttention, LatentsAreKeysAndValues) {
  const char *text = R"(
    func.func @f(%q: tensor<?x4xf32>, %c: tensor<?x2xf32>, %k: tensor<?x4xf32>, %v: tensor<?x2xf32>, %key_up: tensor<2x1x1xf32>,
                 %value_up: tensor<2x1x1xf32>, %lengths: tensor<?xi64>, %first: tensor<?xi64>) -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
      %e = moe.attention %q across %k, %v : tensor<?x4xf32>, tensor<?x2xf32> of %lengths from %first {head_dim = 2 : i64, scale = 0.5 : f64}
        : tensor<?x4xf32> -> tensor<?x2xf32>
      %l = moe.latent_attention %q across %c : tensor<?x2xf32> of %lengths from %first with %key_up, %value_up {scale = 0.5 : f64}
        : tensor<?x4xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32> -> tensor<?x2xf32>
      %a = moe.absorbed_attention %q across %c : tensor<?x2xf32> of %lengths from %first with %key_up, %value_up {scale = 0.5 : f64}
        : tensor<?x4xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32> -> tensor<?x2xf32>
      %none = arith.constant dense<4> : tensor<1xi64>
      %four = tensor.cast %none : tensor<1xi64> to tensor<?xi64>
      %two = arith.constant dense<2> : tensor<1xi64>
      %past = tensor.cast %two : tensor<1xi64> to tensor<?xi64>
      %p = moe.latent_attention %q across %c : tensor<?x2xf32> after %k, %v : tensor<?x4xf32>, tensor<?x2xf32> of %four from %past
        with %key_up, %value_up {scale = 0.5 : f64} : tensor<?x4xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32> -> tensor<?x2xf32>
      return %e, %l, %a, %p : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
    })";
  Tensor latents = rows({{1, 3}, {2, -1}}), keys = rows({{2, 3, -1, 3}, {4, -1, -2, -1}}), values = rows({{5, 7}, {10, 14}});
  std::vector<Tensor> results =
      evaluate(text, {rows({{1, 2, 3, 4}, {0.5, 1, 2, -1}}), latents, keys, values, matrices({{{2}}, {{-1}}}),
                      matrices({{{5}}, {{7}}}), Tensor({1}, {2}), Tensor({1}, {0})});
  ASSERT_EQ(results.size(), 4u);
  EXPECT_LT(moec::evaluator::normalizedError(results[1], results[0]), 1e-20);
  EXPECT_LT(moec::evaluator::normalizedError(results[2], results[0]), 1e-20);
  // Of the same keys twice, the second query sees each twice; the first, of the second three, the first one twice.
  EXPECT_NEAR(results[3].row(1)[0], results[0].row(1)[0], 1e-12);
  EXPECT_GT(std::abs(results[3].row(0)[0] - results[0].row(0)[0]), 1e-2);
}

} // namespace
