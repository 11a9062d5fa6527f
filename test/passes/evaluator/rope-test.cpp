// moe.rope: layouts, slices, YaRN's frequencies and the scale by position.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <cmath>
#include <numbers>

using namespace moec::test;

namespace {

/// Rotates one row, cut into heads of `headDim` columns, at `position`.
Tensor rotate(const std::vector<double> &row, int64_t headDim, int64_t position, const std::string &rotary,
              const std::string &attributes = "") {
  const char *text = R"(
    func.func @f(%x: tensor<?x{0}xf32>, %batch: !moe.batch) -> tensor<?x{0}xf32> {{
      %y = moe.rope %x at %batch {{head_dim = {1} : i64, rotary = #moe.rotary<{2}>{3}} : tensor<?x{0}xf32>
      return %y : tensor<?x{0}xf32>
    })";
  std::vector<Tensor> results =
      evaluate(llvm::formatv(text, row.size(), headDim, rotary, attributes), {rows({row}), Batch::single(position, 1)});
  return results.empty() ? Tensor() : results[0];
}

// With theta = 4, the two pairs of four dims turn by 1 and 1/2 a position: at position 2 by 2 and 1.
const double cos1 = std::cos(1), sin1 = std::sin(1), cos2 = std::cos(2), sin2 = std::sin(2);

/// Neighbours are pairs: (1, 0) turned by 2, (0, 1) by 1.
TEST(Rope, Interleaved) {
  expectRows(rotate({1, 0, 0, 1}, 4, 2, "dims = 4, theta = 4.0, layout = interleaved"), {{cos2, sin2, -sin1, cos1}});
}

/// Columns 0 and 2 are a pair, and so are 1 and 3: (1, 0) turned by 2, (0, 1) by 1.
TEST(Rope, Half) { expectRows(rotate({1, 0, 0, 1}, 4, 2, "dims = 4, theta = 4.0, layout = half"), {{cos2, -sin1, sin2, cos1}}); }

TEST(Rope, PositionZeroStandsStill) {
  expectRows(rotate({1, 2, 3, 4}, 4, 0, "dims = 4, theta = 4.0, layout = half"), {{1, 2, 3, 4}});
}

/// The first two columns of each head of five turn.
TEST(Rope, LeadingSlice) {
  expectRows(rotate({1, 0, 7, 8, 9, 0, 1, 10, 11, 12}, 5, 1, "dims = 2, theta = 1.0e4, layout = half"),
             {{cos1, sin1, 7, 8, 9, -sin1, cos1, 10, 11, 12}});
}

TEST(Rope, TrailingSlice) {
  expectRows(rotate({7, 8, 9, 1, 0, 10, 11, 12, 0, 1}, 5, 1, "dims = 2, theta = 1.0e4, layout = interleaved, offset = 3"),
             {{7, 8, 9, cos1, sin1, 10, 11, 12, -sin1, cos1}});
}

TEST(Rope, Inverse) {
  expectRows(rotate({1, 0, 0, 1}, 4, 2, "dims = 4, theta = 4.0, layout = interleaved, inverse = true"),
             {{cos2, -sin2, sin1, cos1}});
}

/// On cosine and sine, so on the slice alone.
TEST(Rope, Multiplier) {
  expectRows(rotate({1, 0, 5}, 3, 2, "dims = 2, theta = 4.0, layout = half, multiplier = 1.5"), {{1.5 * cos2, 1.5 * sin2, 5}});
}

/// Every token turns by its own position.
TEST(Rope, RaggedBatch) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %batch: !moe.batch) -> tensor<?x2xf32> {
      %y = moe.rope %x at %batch {head_dim = 2 : i64, rotary = #moe.rotary<dims = 2, theta = 4.0, layout = half>} : tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 0}, {1, 0}, {1, 0}}), Batch({{0, 2}, {2, 1}}, {})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{1, 0}, {cos1, sin1}, {cos2, sin2}});
}

/// 1 + 0.1 ln(1 + floor(position / 8)) on all columns; `shift` is added to the position (Llama 4).
TEST(Rope, PositionScale) {
  const std::string still = "dims = 2, theta = 1.0e4, layout = half, offset = 1";
  auto scaleAt = [&](int64_t position, const std::string &shift = "") {
    Tensor row = rotate({1, 0, 0}, 3, position, still,
                        ", position_scale = #moe.position_scale<beta = 0.1, original_positions = 8" + shift + ">");
    return row.elements.at(0);
  };
  EXPECT_DOUBLE_EQ(scaleAt(0), 1);
  EXPECT_DOUBLE_EQ(scaleAt(7), 1);
  EXPECT_DOUBLE_EQ(scaleAt(8), 1 + 0.1 * std::numbers::ln2);
  EXPECT_DOUBLE_EQ(scaleAt(31), 1 + 0.2 * std::numbers::ln2); // 1 + floor(31 / 8) = 4
  EXPECT_DOUBLE_EQ(scaleAt(7, ", shift = 1"), 1 + 0.1 * std::numbers::ln2);
  EXPECT_DOUBLE_EQ(scaleAt(6, ", shift = 1"), 1);
}

/// The scale comes after the rotation and reaches its slice too.
TEST(Rope, PositionScaleOfTheSlice) {
  double scale = 1 + 0.5 * std::numbers::ln2;
  expectRows(rotate({1, 0}, 2, 1, "dims = 2, theta = 4.0, layout = half",
                    ", position_scale = #moe.position_scale<beta = 0.5, original_positions = 1>"),
             {{scale * cos1, scale * sin1}});
}

/// What each pair of 64 dims turns by in one position, read off rows (1, 0).
std::vector<double> frequencies(double theta, const std::string &yarn) {
  std::vector<double> row(64);
  std::fill(row.begin(), row.begin() + 32, 1);
  Tensor turned = rotate(row, 64, 1, llvm::formatv("dims = 64, theta = {0:f1}, layout = half, yarn = <{1}>", theta, yarn).str());
  std::vector<double> result;
  for (size_t i = 0; i < turned.elements.size() / 2; ++i)
    result.push_back(std::atan2(turned.elements[i + 32], turned.elements[i]));
  return result;
}

/// Expects frequencies theta^(-i/32) up to pair `low`, those over `factor` from pair `high` on, and a linear blend between.
void expectRamp(double theta, double factor, double low, double high, const std::string &yarn) {
  SCOPED_TRACE(yarn);
  std::vector<double> result = frequencies(theta, yarn);
  ASSERT_EQ(result.size(), 32u);
  for (int i = 0; i < 32; ++i) {
    double kept = std::pow(theta, -i / 32.0), share = i <= low ? 0 : i >= high ? 1 : (i - low) / (high - low);
    double expected = kept * (1 - share) + kept / factor * share;
    EXPECT_NEAR(result[i], expected, 1e-6 * expected) << "pair " << i;
  }
}

/// The ramps that released models have: a dimension d of 64 turns n times in p positions when
/// d = 64 ln(p / (2 pi n)) / (2 ln theta), rounded outwards.
TEST(Rope, YarnRamps) {
  expectRamp(1e4, 40, 10, 23, "factor = 40.0, original_positions = 4096");    // DeepSeek-V3: d = 10.47 and 22.51
  expectRamp(1.6e5, 16, 15, 25, "factor = 16.0, original_positions = 65536"); // DeepSeek-V4, compressed: d = 15.46 and 24.71
  expectRamp(5e4, 32, 19, 20, "factor = 32.0, original_positions = 4096, beta_fast = 1.0, beta_slow = 1.0"); // Kimi-K2: d = 19.16
}

/// gpt-oss does not round.
TEST(Rope, YarnWithoutTruncation) {
  expectRamp(1.5e5, 32, 8.092779115512402, 17.39802450158856, "factor = 32.0, original_positions = 4096, truncate = false");
}

/// A ramp without width is a step; one that would begin before the first pair or end after the last is cut there.
TEST(Rope, YarnRampsAtTheEdge) {
  expectRamp(5e4, 32, 19.1645748886269, 19.1645748886269,
             "factor = 32.0, original_positions = 4096, beta_fast = 1.0, beta_slow = 1.0, truncate = false");
  // d = 64 ln(16 / (2 pi 32)) / (2 ln 1e4) < 0, and 3.25 for one turn.
  expectRamp(1e4, 4, 0, 4, "factor = 4.0, original_positions = 16");
  // d = 65.61 for one turn, cut at the last dimension, 63; 17.61 for a million turns.
  expectRamp(1e4, 4, 17, 63, "factor = 4.0, original_positions = 1000000000, beta_fast = 1.0e6");
}

/// Position 6 lies within the first 8 with the shift, position 7 begins the second.
TEST(ScaleByPosition, Steps) {
  std::vector<Tensor> results = evaluate(R"(
    func.func @f(%x: tensor<?x2xf32>, %batch: !moe.batch) -> tensor<?x2xf32> {
      %y = moe.scale_by_position %x at %batch {scale = #moe.position_scale<beta = 0.5, original_positions = 8, shift = 1>} : tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })",
                                         {rows({{1, 2}, {1, 2}}), Batch::single(6, 2)});
  ASSERT_EQ(results.size(), 1u);
  double scale = 1 + 0.5 * std::log(2);
  expectRows(results[0], {{1, 2}, {scale, 2 * scale}});
}

/// Rows turn by the cosines and sines that they bring, a column for each pair.
TEST(Rope, ByTables) {
  const char *text = R"(
    func.func @f(%x: tensor<?x5xf32>, %cos: tensor<?x2xf32>, %sin: tensor<?x2xf32>) -> tensor<?x5xf32> {
      %y = moe.rope %x by %cos, %sin : tensor<?x2xf32>, tensor<?x2xf32> {head_dim = 5 : i64, rotary = #moe.rotary<dims = 4, layout = half>} : tensor<?x5xf32>
      return %y : tensor<?x5xf32>
    })";
  std::vector<Tensor> results =
      evaluate(text, {rows({{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}}), rows({{0, 1}, {2, 0}}), rows({{1, 0}, {0, 1}})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{-3, 2, 1, 4, 5}, {2, -4, 6, 2, 5}});
}

} // namespace
