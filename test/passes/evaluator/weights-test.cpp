// Weights as files hold them, and the arithmetic of the evaluator's own values.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <numeric>

#include <cmath>
#include <fstream>
#include <limits>

using namespace moec;
using namespace moec::test;

namespace {

/// A folder with one file, removed at the end of the test.
class ModelFolder {
public:
  explicit ModelFolder(const std::string &bytes) {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("moec-weights", path));
    std::ofstream(file(), std::ios::binary) << bytes;
  }
  ~ModelFolder() {
    llvm::sys::fs::remove(file());
    llvm::sys::fs::remove(path);
  }
  ModelFolder(const ModelFolder &) = delete;
  ModelFolder &operator=(const ModelFolder &) = delete;

  /// A module whose function returns row 0 of a weight of `type`, made of `slices`.
  std::string module(const std::string &type, const std::string &slices) const {
    return llvm::formatv(R"(
      module attributes {{moe.folder = "{0}"} {{
        moe.weight @w : tensor<{1}> = [{2}]
        func.func @f(%id: tensor<?xi32>) -> tensor<?x2xf32> {{
          %w = moe.get_weight @w : tensor<{1}>
          %row = moe.embed %id, %w : tensor<{1}> -> tensor<?x2xf32>
          return %row : tensor<?x2xf32>
        }
      })",
                         path.str(), type, slices);
  }

  std::string name() const { return path.str().str(); }

private:
  std::string file() const { return (path + "/m").str(); }
  llvm::SmallString<128> path;
};

const std::vector<Argument> firstRow = {vector({0})};

/// Reads two elements of `type` from `bytes`.
void expectElements(const std::string &type, const std::string &bytes, double first, double second) {
  SCOPED_TRACE(type);
  std::vector<Tensor> results =
      evaluate(ModelFolder(bytes).module("1x2x" + type, "#moe.slice<\"w\" in \"m\" at 0 rows 1>"), firstRow);
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{first, second}});
}

std::string bytes(std::initializer_list<unsigned char> values) { return {values.begin(), values.end()}; }

/// 1.5 and the smallest subnormal, from their bits, lowest byte first.
TEST(Weights, ElementTypes) {
  expectElements("f64", bytes({0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 1, 0, 0, 0, 0, 0, 0, 0x80}), 1.5, -0x1p-1074);
  expectElements("f32", bytes({0, 0, 0xc0, 0x3f, 1, 0, 0, 0x80}), 1.5, -0x1p-149);
  expectElements("bf16", bytes({0xc0, 0x3f, 1, 0x80}), 1.5, -0x1p-133);
  expectElements("f16", bytes({0, 0x3e, 1, 0x80}), 1.5, -0x1p-24);
  expectElements("f16", bytes({0xff, 0x7b, 0xff, 0x03}), 65504, 1023 * 0x1p-24);
  expectElements("f8E4M3FN", bytes({0x3c, 0x81}), 1.5, -0x1p-9);
  expectElements("f8E5M2", bytes({0x3e, 0x81}), 1.5, -0x1p-16);
}

/// A weight is its slices, one after the other, wherever they lie in the file.
TEST(Weights, Slices) {
  ModelFolder folder(bytes({1, 0x3f, 2, 0x3f, 0x80, 0x3f, 0, 0x40, 0x40, 0x40, 0x80, 0x40}));
  std::string text = folder.module("2x2xbf16", "#moe.slice<\"a\" in \"m\" at 8 rows 1>, #moe.slice<\"b\" in \"m\" at 4 rows 1>");
  std::vector<Tensor> results = evaluate(text, {vector({0, 1})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{3, 4}, {1, 2}});
}

/// Six numbers as three rows of two, read down the columns; and every second of them.
TEST(Weights, StridedSlices) {
  ModelFolder folder(bytes({0x80, 0x3f, 0, 0x40, 0x40, 0x40, 0x80, 0x40, 0xa0, 0x40, 0xc0, 0x40}));
  std::vector<Tensor> results =
      evaluate(folder.module("2x2xbf16", "#moe.slice<\"a\" in \"m\" at 0 rows 2 strides 1 by 2>"), {vector({0, 1})});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{1, 3}, {2, 4}});
  results = evaluate(folder.module("1x2xbf16", "#moe.slice<\"a\" in \"m\" at 2 rows 1 strides 6 by 2>"), firstRow);
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{2, 4}});
}

/// The rows of a weight of `type` that is a slice of these bytes.
void expectWords(const std::string &stored, const char *type, int64_t columns, const char *strides,
                 const std::vector<std::vector<double>> &rows) {
  SCOPED_TRACE(strides);
  ModelFolder folder(stored);
  std::string text = llvm::formatv(R"(
      module attributes {{moe.folder = "{0}"} {{
        moe.weight @w : {1} = [#moe.slice<"w" in "m" at 0 rows {2} strides {3}>]
        func.func @f(%id: tensor<?xi32>) -> tensor<?x{4}xf32> {{
          %w = moe.get_weight @w : {1}
          %row = moe.embed %id, %w : {1} -> tensor<?x{4}xf32>
          return %row : tensor<?x{4}xf32>
        }
      })",
                                   folder.name(), type, rows.size(), strides, columns);
  std::vector<double> ids(rows.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<Tensor> results = evaluate(text, {vector(ids)});
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], rows);
}

/// Two rows of sixteen numbers of four bits, stored as words of eight, the rows' words in turns.
TEST(Weights, WordsOfNeighboursInRows) {
  expectWords(bytes({0x10, 0, 0, 0x70, 0x32, 0, 0, 0, 0x54, 0, 0, 0, 0x76, 0, 0, 0xf0}), "tensor<2x16xui4>", 16,
              "8 by 16 words [0, 1, 2, 3, 4, 5, 6, 7] along 1",
              {{0, 1, 0, 0, 0, 0, 0, 7, 4, 5, 0, 0, 0, 0, 0, 0}, {2, 3, 0, 0, 0, 0, 0, 0, 6, 7, 0, 0, 0, 0, 0, 15}});
}

/// Eight rows of two numbers, a column to a word, even rows first; as they are, and widened to bytes.
TEST(Weights, WordsOfNeighboursInColumns) {
  std::string stored = bytes({0x20, 0x64, 0x31, 0x75, 0xa8, 0xec, 0xb9, 0xfd});
  for (const char *type : {"tensor<8x2xui4>", "tensor<8x2xui8>"})
    expectWords(stored, type, 2, "8 by 8 words [0, 4, 1, 5, 2, 6, 3, 7] along 0",
                {{0, 8}, {1, 9}, {2, 10}, {3, 11}, {4, 12}, {5, 13}, {6, 14}, {7, 15}});
}

TEST(Weights, RefusesSlicesBeyondTheFile) {
  ModelFolder folder(bytes({0, 0, 0, 0}));
  EXPECT_NE(refusal(folder.module("1x2xbf16", "#moe.slice<\"a\" in \"m\" at 2 rows 1>"), firstRow)
                .find("cannot read tensor 'a': expected 4 bytes at 2 of "),
            std::string::npos);
  EXPECT_NE(refusal(folder.module("1x2xbf16", "#moe.slice<\"a\" in \"m\" at 0 rows 1 strides 1 by 2>"), firstRow)
                .find("cannot read tensor 'a': expected 6 bytes at 0 of "),
            std::string::npos);
  EXPECT_NE(refusal(folder.module("1x2xbf16", "#moe.slice<\"a\" in \"../m\" at 0 rows 1>"), firstRow)
                .find("expected a file below the model's folder, got '../m'"),
            std::string::npos);
}

TEST(Weights, RefusesModulesWithoutFolder) {
  EXPECT_EQ(refusal(R"(
    moe.weight @w : tensor<1x2xf32> = [#moe.slice<"w" in "m" at 0 rows 1>]
    func.func @f(%id: tensor<?xi32>) -> tensor<?x2xf32> {
      %w = moe.get_weight @w : tensor<1x2xf32>
      %row = moe.embed %id, %w : tensor<1x2xf32> -> tensor<?x2xf32>
      return %row : tensor<?x2xf32>
    })",
                    firstRow),
            "cannot read weight 'w': expected the module to say where in 'moe.folder'; random weights need no folder");
}

TEST(RoundToBF16, NearestWithTiesToEven) {
  EXPECT_EQ(evaluator::roundToBF16(1 + 0x1p-8), 1);
  EXPECT_EQ(evaluator::roundToBF16(1 + 0x1.8p-8), 1 + 0x1p-7);
  EXPECT_EQ(evaluator::roundToBF16(1 + 3 * 0x1p-8), 1 + 0x1p-6);
  EXPECT_EQ(evaluator::roundToBF16(-(1 + 3 * 0x1p-8)), -(1 + 0x1p-6));
  EXPECT_EQ(evaluator::roundToBF16(2 - 0x1p-8), 2);
  EXPECT_EQ(evaluator::roundToBF16(0), 0);
}

/// Subnormals are as far apart as the smallest normal numbers.
TEST(RoundToBF16, EndsOfTheRange) {
  EXPECT_EQ(evaluator::roundToBF16(0x1p-133), 0x1p-133);
  EXPECT_EQ(evaluator::roundToBF16(0x1.8p-133), 0x1p-132);
  EXPECT_EQ(evaluator::roundToBF16(0x1p-134), 0);
  EXPECT_EQ(evaluator::roundToBF16(0x1.fep127), 0x1.fep127);
  EXPECT_EQ(evaluator::roundToBF16(0x1.ffp127), std::numeric_limits<double>::infinity());
  EXPECT_EQ(evaluator::roundToBF16(-0x1.ffp127), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(evaluator::roundToBF16(NAN)));
}

TEST(NormalizedError, SquaredDifferenceOverSquares) {
  EXPECT_EQ(evaluator::normalizedError(vector({3, 5}), vector({3, 4})), 1.0 / 25);
  EXPECT_EQ(evaluator::normalizedError(vector({NAN, 4}), vector({NAN, 4})), 0);
  EXPECT_EQ(evaluator::normalizedError(vector({NAN, 4}), vector({3, 4})), std::numeric_limits<double>::infinity());
  EXPECT_EQ(evaluator::normalizedError(vector({1}), vector({0})), std::numeric_limits<double>::infinity());
  EXPECT_EQ(evaluator::normalizedError(vector({1, 2}), vector({1})), std::numeric_limits<double>::infinity());
}

} // namespace
