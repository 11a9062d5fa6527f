// Blocks of positions: pooling them into entries, writing these, choosing among them and attending to them.
#include "KernelRun.h"
#include "PooledBlocks.h"

#include "lowering/plan/Schedule.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::test;

/// Sequences that end a block or not, begin within one, and fill several pages.
static const std::vector<std::vector<Sequence>> steps = {
    {{0, 1}}, {{0, 70}}, {{63, 1}, {64, 1}, {151, 1}}, {{0, 5}, {60, 10}, {130, 2}, {0, 64}}};

static void check(const std::string &text, double tolerance = 1e-5) {
  KernelRun run(text);
  for (const std::vector<Sequence> &step : steps) {
    SCOPED_TRACE(text + " with " + std::to_string(step.size()) + " sequences");
    run.setStep(step);
    run.makeUp(step.size());
    run.expectAsEvaluated(tolerance);
  }
  run.expectSameRowsAlone();
}

TEST(PoolBlocks, Apart) {
  check(pooledBlocks(4, 33, 33, "f32"));
  check(pooledBlocks(6, 16, 16, "bf16"));
  check(pooledBlocks(128, 20, 20, "f32"));
}

TEST(PoolBlocks, Overlapping) {
  check(pooledBlocks(4, 34, 17, "f32"));
  check(pooledBlocks(6, 64, 32, "bf16"));
}

/// An entry turns as at the first position of its block, and its row is written by the token that ends the block.
TEST(AppendBlocks, RowsOfSeveralPages) {
  for (int64_t block : {4, 6, 128})
    check(
        llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>] {{\n"
                      "^bb0(%x: tensor<?x20xf32>, %batch: !moe.batch):\n"
                      "  moe.cache @cache0 : tensor<?x20xf32> {{block = {0} : i64}\n"
                      "  %r = moe.rope %x at %batch {{head_dim = 20 : i64, rotary = #moe.rotary<dims = 12, theta = 1.0e4, layout = "
                      "interleaved, offset = 8>, block = {0} : i64} : tensor<?x20xf32>\n"
                      "  moe.append %r to @cache0 at %batch : tensor<?x20xf32>\n"
                      "  plan.return %r : tensor<?x20xf32>\n}\n",
                      block));
}

TEST(SelectBlocks, BestOfAll) {
  for (auto [block, k] : {std::pair(4, 3), std::pair(6, 7), std::pair(4, 100)})
    check(
        llvm::formatv(
            "plan.model \"m\" {{vocabulary = 8 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = 200 : i64, max_batch "
            "= 4 : i64, page_size = 64 : i64, eos = array<i64>, compute = \"f32\"}\n"
            "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64>] {{\n"
            "^bb0(%q: tensor<?x48xf32>, %w: tensor<?x3xf32>, %batch: !moe.batch):\n"
            "  moe.cache @cache0 : tensor<?x16xf32> {{block = {0} : i64}\n"
            "  %p = moe.select_positions %q, %w over @cache0 at %batch : tensor<?x48xf32>, tensor<?x3xf32> -> tensor<?x{1}xi32>\n"
            "  plan.return %p : tensor<?x{1}xi32>\n}\n",
            block, k),
        0);
}

/// Attention to a window and to entries of blocks, to all of them or, with `listed`, to those in lists.
static std::string attention(int64_t heads, int64_t kvHeads, int64_t dim, int64_t block, int64_t listed, const char *type) {
  std::string lists = llvm::formatv("tensor<?x{0}xi32>", listed);
  return llvm::formatv(
      "plan.kernel @k items {0} per sequences rows tokens parts [array<i64>, array<i64>, array<i64: {1}>{2}] {{\n"
      "^bb0(%q: tensor<?x{3}xf32>, %batch: !moe.batch, %sinks: tensor<{1}xf32>{4}):\n"
      "  moe.cache @cache0 : tensor<?x{5}x{6}>\n"
      "  moe.cache @cache1 : tensor<?x{5}x{6}> {{block = {7} : i64}\n"
      "  %o = moe.attention %q over @cache0, @cache0 and @cache1 at %batch{8} sinks %sinks (tensor<{1}xf32>) {{head_dim = {9} : "
      "i64, "
      "scale = 2.5e-1 : f64, window = 5 : i64, compute = #moe<compute {6}>} : tensor<?x{3}xf32> -> tensor<?x{3}xf32>\n"
      "  plan.return %o : tensor<?x{3}xf32>\n}\n",
      kvHeads * lowering::blocksOfHeads(heads / kvHeads), heads, listed ? ", array<i64>" : "", heads * dim,
      listed ? ", %p: " + lists : "", kvHeads * dim, type, block, listed ? " among %p (" + lists + ")" : "", dim);
}

TEST(AttentionToBlocks, All) {
  check(attention(3, 1, 20, 4, 0, "f32"));
  check(attention(20, 1, 16, 6, 0, "f32")); // heads of several items
  check(attention(4, 2, 16, 1, 0, "f32"));  // entries of several pages
  check(attention(6, 1, 32, 128, 0, "bf16"), 2e-2);
}

/// Lists of every second entry that a token sees, in ascending order.
static Tensor lists(const std::vector<Sequence> &step, int64_t block, int64_t listed) {
  std::vector<double> elements;
  int64_t tokens = 0;
  for (const Sequence &sequence : step)
    for (int64_t i = 0; i < sequence.length; ++i, ++tokens) {
      std::vector<double> list;
      for (int64_t e = tokens % 2; e < (sequence.past + i + 1) / block && int64_t(list.size()) < listed; e += 2)
        list.push_back(double(e));
      list.resize(size_t(listed), -1);
      elements.insert(elements.end(), list.begin(), list.end());
    }
  return Tensor({tokens, listed}, std::move(elements));
}

TEST(AttentionToBlocks, Listed) {
  for (auto [heads, block, listed, type] :
       {std::tuple(18, 4, 3, "f32"), std::tuple(18, 1, 70, "f32"), std::tuple(34, 1, 70, "bf16")}) {
    int64_t dim = type == std::string("f32") ? 20 : 24;
    std::string text = attention(heads, 1, dim, block, listed, type);
    KernelRun run(text);
    for (const std::vector<Sequence> &step : steps) {
      SCOPED_TRACE(text + " with " + std::to_string(step.size()) + " sequences");
      run.setStep(step);
      run.give(3, lists(step, block, listed));
      run.makeUp(step.size());
      run.expectAsEvaluated(type == std::string("f32") ? 1e-5 : 2e-2);
    }
    run.expectSameRowsAlone();
  }
}

/// Entries have other spans than positions, and a step may have so many tokens that a block takes all spans of one.
TEST(AttentionToBlocks, SpansOfEachKind) {
  KernelRun run(attention(8, 4, 16, 1, 0, "bf16"));
  for (std::vector<Sequence> step : {std::vector<Sequence>{{600, 1}, {255, 2}, {1, 1}}, {{600, 2}, {0, 68}}}) {
    SCOPED_TRACE(step.size());
    run.setStep(step);
    run.makeUp(2);
    run.expectAsEvaluated(2e-2);
  }
  run.expectSameRowsAlone();
}
