// Choosing positions, and attention to lists of them, against the reference evaluator.
#include "KernelRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::test;

/// Sequences shorter and longer than lists, within a page and across pages.
static const std::vector<std::vector<Sequence>> steps = {
    {{0, 1}}, {{0, 70}}, {{63, 1}, {64, 1}, {150, 1}}, {{0, 5}, {60, 10}, {130, 1}, {0, 64}}};

static std::string select(int64_t heads, int64_t width, int64_t k, const char *type, int64_t longest = 300) {
  return llvm::formatv(
      "plan.model \"m\" {{vocabulary = 8 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = {5} : i64, max_batch = 4 : "
      "i64,"
      " page_size = 64 : i64, eos = array<i64>, compute = \"f32\"}\n"
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64>] {{\n"
      "^bb0(%q: tensor<?x{0}xf32>, %w: tensor<?x{1}xf32>, %batch: !moe.batch):\n"
      "  moe.cache @cache0 : tensor<?x{2}x{4}>\n"
      "  %p = moe.select_positions %q, %w over @cache0 at %batch : tensor<?x{0}xf32>, tensor<?x{1}xf32> -> tensor<?x{3}xi32>\n"
      "  plan.return %p : tensor<?x{3}xi32>\n}\n",
      heads * width, heads, width, k, type, longest);
}

static void checkSelection(const std::string &text) {
  KernelRun run(text);
  for (const std::vector<Sequence> &step : steps) {
    SCOPED_TRACE(text + " with " + std::to_string(step.size()) + " sequences");
    run.setStep(step);
    run.makeUp(step.size());
    run.expectAsEvaluated(0);
  }
  run.expectSameRowsAlone();
}

TEST(SelectPositions, BestOfAll) {
  checkSelection(select(4, 16, 8, "f32"));
  checkSelection(select(3, 9, 1, "f32"));
  checkSelection(select(9, 33, 70, "bf16"));
  checkSelection(select(2, 8, 500, "f32"));
}

/// By matrix units where there are any: heads and widths that fill tiles or not.
TEST(SelectPositions, KeysInBf16) {
  checkSelection(select(5, 24, 8, "bf16"));
  checkSelection(select(40, 32, 70, "bf16"));
}

/// Queries of zero make all scores equal, and positions are the first.
TEST(SelectPositions, TiesGoToTheLowest) {
  KernelRun run(select(2, 8, 5, "f32"));
  run.setStep({{90, 2}});
  run.give(0, Tensor({2, 16}));
  run.makeUp(1);
  run.expectAsEvaluated(0);
}

/// Contexts that several blocks score and several warps list, more than once each.
TEST(SelectPositions, LongContexts) {
  for (auto [longest, past, k, type] : {std::tuple(2700, 2690, 700, "f32"), std::tuple(20000, 19000, 50, "bf16")})
    for (bool isTied : {false, true}) {
      KernelRun run(select(1, 8, k, type, longest));
      run.setStep({{past, 2}});
      if (isTied)
        run.give(0, Tensor({2, 8}));
      run.makeUp(1);
      run.expectAsEvaluated(0);
    }
}

/// More tokens than scores are kept of at once: some wait for the room that others had.
TEST(SelectPositions, TokensThatTakeTurns) {
  KernelRun run(select(2, 8, 3, "bf16", 640));
  run.setStep({{0, 500}, {100, 40}});
  run.makeUp(1);
  run.expectAsEvaluated(0);
}

static std::string latent(const char *op, const char *extent, int64_t heads, int64_t nope, int64_t rotary, int64_t value,
                          int64_t latentWidth, int64_t listed, const char *type) {
  std::string keyUp = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", heads, nope, latentWidth),
              valueUp = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", heads, value, latentWidth),
              lists = llvm::formatv("tensor<?x{0}xi32>", listed);
  return llvm::formatv(
      "plan.kernel @k items {0} per {1} rows tokens parts [array<i64>, array<i64>, array<i64: 1>, array<i64: 1>, array<i64>] {{\n"
      "^bb0(%q: tensor<?x{2}xf32>, %batch: !moe.batch, %uk: {3}, %uv: {4}, %p: {9}):\n"
      "  moe.cache @cache0 : tensor<?x{5}x{6}>\n"
      "  %o = moe.{7} %q over @cache0 at %batch among %p ({9}) with %uk, %uv {{scale = 1.5e-1 : f64, compute = #moe<compute {6}>}\n"
      "    : tensor<?x{2}xf32>, {3}, {4} -> tensor<?x{8}xf32>\n"
      "  plan.return %o : tensor<?x{8}xf32>\n}\n",
      heads, extent, heads * (nope + rotary), keyUp, valueUp, latentWidth + rotary, type, op, heads * value, lists);
}

/// Lists of every third position from one that differs by token, the token's own included.
static Tensor lists(const std::vector<Sequence> &step, int64_t listed) {
  std::vector<double> elements;
  int64_t tokens = 0;
  for (const Sequence &sequence : step)
    for (int64_t i = 0; i < sequence.length; ++i, ++tokens) {
      std::vector<double> list;
      int64_t position = sequence.past + i;
      for (int64_t p = position % 3 + tokens % 2 * 3; p <= position && int64_t(list.size()) < listed; p += 3)
        list.push_back(double(p));
      if (list.empty())
        list.push_back(double(position));
      list.resize(size_t(listed), -1);
      elements.insert(elements.end(), list.begin(), list.end());
    }
  return Tensor({tokens, listed}, std::move(elements));
}

static void checkLists(const std::string &text, int64_t listed, double tolerance) {
  KernelRun run(text);
  for (const std::vector<Sequence> &step : steps) {
    SCOPED_TRACE(text + " with " + std::to_string(step.size()) + " sequences");
    run.setStep(step);
    run.give(4, lists(step, listed));
    run.makeUp(step.size());
    run.expectAsEvaluated(tolerance);
  }
  run.expectSameRowsAlone();
}

TEST(LatentAttentionAmong, Lists) {
  checkLists(latent("latent_attention", "sequences", 3, 32, 16, 32, 64, 20, "f32"), 20, 1e-5);
  checkLists(latent("latent_attention", "sequences", 2, 32, 16, 32, 64, 100, "bf16"), 100, 1e-2);
}
/// By matrix units where there are any: heads of several blocks, lists that are no whole tile of positions.
TEST(LatentAttentionAmong, ManyHeads) {
  checkLists(latent("latent_attention", "sequences", 40, 16, 8, 16, 32, 20, "bf16"), 20, 1e-2);
}
/// Several blocks share a list.
TEST(AbsorbedAttentionAmong, ListsOfSeveralSpans) {
  KernelRun run(latent("absorbed_attention", "tokens", 3, 16, 8, 16, 32, 700, "bf16"));
  run.setStep({{2200, 1}, {1900, 1}});
  run.give(4, lists({{2200, 1}, {1900, 1}}, 700));
  run.makeUp(3);
  run.expectAsEvaluated(1e-2);
}
TEST(AbsorbedAttentionAmong, Lists) {
  checkLists(latent("absorbed_attention", "tokens", 3, 32, 16, 32, 64, 20, "f32"), 20, 1e-5);
  checkLists(latent("absorbed_attention", "tokens", 18, 9, 6, 21, 35, 100, "f32"), 100, 1e-5);
  checkLists(latent("absorbed_attention", "tokens", 2, 32, 16, 32, 64, 100, "bf16"), 100, 1e-2);
}
