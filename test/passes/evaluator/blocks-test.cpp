// Blocks of positions: pooled into entries, written, attended to. Gates are logarithms, so that weights are shares of whole
// numbers.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace moec::test;

namespace {

double gate(double share) { return std::log(share); }

Tensor pool(const std::string &bias, const std::string &result, const Tensor &biases, const Batch &batch, Caches caches) {
  const char *text = R"(
    moe.cache @rows : tensor<?x{2}xf32>
    func.func @f(%b: tensor<{0}xf32>, %batch: !moe.batch) -> tensor<?x{1}xf32> {{
      %e = moe.pool_blocks over @rows at %batch bias %b : tensor<{0}xf32> -> tensor<?x{1}xf32>
      return %e : tensor<?x{1}xf32>
    })";
  std::vector<Tensor> results = evaluate(llvm::formatv(text, bias, result, 2 * biases.width()), {biases, batch}, caches);
  return results.empty() ? Tensor() : results[0];
}

/// Only the tokens that end a block of two have an entry; a bias is a factor of a share.
TEST(PoolBlocks, SharesOfABlock) {
  Caches caches;
  caches.rows("rows", 0) = {{10, gate(1)}, {20, gate(3)}, {30, gate(1)}, {40, gate(1)}, {50, gate(9)}};
  Tensor plain = rows({{0}, {0}}), biased = rows({{gate(1)}, {gate(3)}});
  expectRows(pool("2x1", "1", plain, Batch::single(0, 5), caches), {{0}, {(10 + 60) / 4.0}, {0}, {35}, {0}});
  expectRows(pool("2x1", "1", biased, Batch::single(1, 3), caches), {{(10 + 180) / 10.0}, {0}, {(30 + 120) / 4.0}});
}

/// An entry takes the first column of the block before and the second of its own; the first has its own alone.
TEST(PoolBlocks, OverlapWithTheBlockBefore) {
  Caches caches;
  caches.rows("rows",
              0) = {{1, 10, gate(1), gate(1)}, {2, 20, gate(2), gate(1)}, {3, 30, gate(1), gate(3)}, {4, 40, gate(1), gate(4)}};
  Tensor plain = rows({{0, 0}, {0, 0}}), biased = rows({{gate(2), 0}, {0, 0}});
  expectRows(pool("2x2", "1", plain, Batch::single(0, 4), caches), {{0}, {15}, {0}, {(1 + 4 + 90 + 160) / 10.0}});
  expectRows(pool("2x2", "1", biased, Batch::single(3, 1), caches), {{(2 + 4 + 90 + 160) / 11.0}});
}

/// A row is written for each block, by the token that ends it.
TEST(AppendBlocks, OneRowABlock) {
  const char *text = R"(
    moe.cache @entries : tensor<?x1xf32> {block = 3 : i64}
    func.func @f(%x: tensor<?x1xf32>, %batch: !moe.batch) {
      moe.append %x to @entries at %batch : tensor<?x1xf32>
      return
    })";
  Caches caches;
  evaluate(text, {rows({{1}, {2}, {3}, {4}}), Batch::single(0, 4)}, caches);
  EXPECT_EQ(caches.rows("entries", 0), Caches::Rows({{3}}));
  evaluate(text, {rows({{5}, {6}}), Batch::single(4, 2)}, caches);
  EXPECT_EQ(caches.rows("entries", 0), Caches::Rows({{3}, {6}}));
}

/// All positions of a block turn as its first: half a turn at position 2.
TEST(RopeOfBlocks, AtTheFirstPosition) {
  const char *text = R"(
    func.func @f(%x: tensor<?x2xf32>, %batch: !moe.batch) -> tensor<?x2xf32> {
      %r = moe.rope %x at %batch {head_dim = 2 : i64, rotary = #moe.rotary<dims = 2, theta = 1.0e4, layout = half>, block = 2 : i64} : tensor<?x2xf32>
      return %r : tensor<?x2xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 0}, {1, 0}, {1, 0}, {1, 0}}), Batch::single(0, 4)});
  ASSERT_EQ(results.size(), 1u);
  double cosine = std::cos(2.0), sine = std::sin(2.0);
  expectRows(results[0], {{1, 0}, {1, 0}, {cosine, sine}, {cosine, sine}});
}

/// Attention of one head of one column to a window of one position and to entries of blocks of two.
Tensor attend(const std::string &lists, const std::vector<Argument> &more) {
  const char *text = R"(
    moe.cache @keys : tensor<?x1xf32>
    moe.cache @entries : tensor<?x1xf32> {{block = 2 : i64}
    func.func @f(%q: tensor<?x1xf32>, %batch: !moe.batch{0}) -> tensor<?x1xf32> {{
      %o = moe.attention %q over @keys, @keys and @entries at %batch{1} {{head_dim = 1 : i64, scale = 1.0 : f64, window = 1 : i64} : tensor<?x1xf32> -> tensor<?x1xf32>
      return %o : tensor<?x1xf32>
    })";
  Caches caches;
  caches.rows("keys", 0) = {{gate(1)}, {gate(2)}, {gate(3)}, {gate(4)}};
  caches.rows("entries", 0) = {{gate(5)}, {gate(6)}};
  std::vector<Argument> arguments = {rows({{1}, {1}, {1}, {1}}), Batch::single(0, 4)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::vector<Tensor> results =
      evaluate(llvm::formatv(text, lists.empty() ? "" : ", %p: " + lists, lists.empty() ? "" : " among %p (" + lists + ")"),
               arguments, caches);
  return results.empty() ? Tensor() : results[0];
}

double mean(std::vector<double> shares) {
  double sum = 0, all = 0;
  for (double share : shares)
    sum += share * gate(share), all += share;
  return sum / all;
}

TEST(AttentionToBlocks, ThoseThatHaveEnded) {
  expectRows(attend("", {}), {{gate(1)}, {mean({2, 5})}, {mean({3, 5})}, {mean({4, 5, 6})}});
}

/// What a list names that has not ended, or is none, does not count.
TEST(AttentionToBlocks, Listed) {
  Tensor lists = rows({{0, -1}, {0, 1}, {-1, -1}, {1, -1}});
  expectRows(attend("tensor<?x2xi32>", {lists}), {{gate(1)}, {mean({2, 5})}, {gate(3)}, {mean({4, 6})}});
}

/// A cache with a row for each block has as many candidates as blocks have ended.
TEST(SelectBlocks, ThoseThatHaveEnded) {
  const char *text = R"(
    moe.cache @keys : tensor<?x1xf32> {block = 2 : i64}
    func.func @f(%q: tensor<?x1xf32>, %w: tensor<?x1xf32>, %batch: !moe.batch) -> tensor<?x1xi32> {
      %p = moe.select_positions %q, %w over @keys at %batch : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xi32>
      return %p : tensor<?x1xi32>
    })";
  Caches caches;
  caches.rows("keys", 0) = {{1}, {3}};
  Tensor ones = rows({{1}, {1}, {1}, {1}});
  std::vector<Tensor> results = evaluate(text, {ones, ones, Batch::single(0, 4)}, caches);
  ASSERT_EQ(results.size(), 1u);
  expectRows(results[0], {{-1}, {0}, {0}, {1}});
}

} // namespace
