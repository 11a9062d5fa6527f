// Attention in all its forms against the reference evaluator, over ragged batches and paged caches.
#include "KernelRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace moec::test;

/// Sequences with and without a past, within a page, across pages, exactly a page.
static const std::vector<std::vector<Sequence>> steps = {
    {{0, 1}}, {{0, 70}}, {{63, 1}, {64, 1}, {150, 1}}, {{0, 5}, {60, 10}, {130, 1}, {0, 64}}, {{190, 7}}};

static void check(const std::string &text, double tolerance) {
  KernelRun run(text);
  for (const std::vector<Sequence> &step : steps) {
    SCOPED_TRACE(text + " with " + std::to_string(step.size()) + " sequences");
    run.setStep(step);
    run.makeUp(step.size());
    run.expectAsEvaluated(tolerance);
  }
  run.setStep({{0, 5}, {60, 10}});
  run.makeUp(1);
  run.expectSameRowsAlone();
}

static std::string attention(int64_t heads, int64_t kvHeads, int64_t headDim, int64_t valueDim, const char *type,
                             const char *extra = "", bool sinks = false) {
  int64_t queryWidth = heads * headDim, keyWidth = kvHeads * headDim, valueWidth = kvHeads * valueDim,
          resultWidth = heads * valueDim;
  std::string sinkType = llvm::formatv("tensor<{0}xf32>", heads);
  std::string text = llvm::formatv("plan.kernel @k items {0} per sequences rows tokens parts [array<i64>, array<i64>{1}] {{\n"
                                   "^bb0(%q: tensor<?x{2}xf32>, %batch: !moe.batch{3}):\n",
                                   kvHeads, sinks ? llvm::formatv(", array<i64: {0}>", heads).str() : "", queryWidth,
                                   sinks ? ", %sinks: " + sinkType : "");
  text += llvm::formatv("  moe.cache @cache0 : tensor<?x{0}x{2}>\n  moe.cache @cache1 : tensor<?x{1}x{2}>\n", keyWidth, valueWidth,
                        type);
  text += llvm::formatv("  %o = moe.attention %q over @cache0, @cache1 at %batch{0} {{head_dim = {1} : i64, scale = 2.5e-1 : f64, "
                        "compute = #moe<compute {2}>{3}} : tensor<?x{4}xf32> -> tensor<?x{5}xf32>\n",
                        sinks ? " sinks %sinks (" + sinkType + ")" : "", headDim, type, extra, queryWidth, resultWidth);
  return text + llvm::formatv("  plan.return %o : tensor<?x{0}xf32>\n}\n", resultWidth).str();
}

TEST(Attention, GroupedHeads) {
  check(attention(4, 2, 16, 16, "f32"), 1e-5);
  check(attention(3, 1, 9, 21, "f32"), 1e-5);
}
TEST(Attention, BF16Cache) { check(attention(4, 2, 32, 32, "bf16"), 1e-2); }
TEST(Attention, Window) { check(attention(2, 2, 16, 16, "f32", ", window = 5 : i64"), 1e-5); }
TEST(Attention, LongWindow) { check(attention(2, 2, 16, 16, "f32", ", window = 100 : i64"), 1e-5); }
TEST(Attention, Chunk) { check(attention(2, 1, 16, 16, "f32", ", chunk = 24 : i64"), 1e-5); }
TEST(Attention, SoftCapAndSinks) { check(attention(4, 2, 16, 16, "f32", ", soft_cap = 2.0 : f64", true), 1e-5); }
/// More rows than a block: 70 tokens x 3 heads.
TEST(Attention, Blocks) { check(attention(3, 1, 16, 16, "f32"), 1e-5); }

static std::string latent(const char *op, const char *extent, int64_t heads, int64_t nope, int64_t rotary, int64_t value,
                          int64_t latentWidth, const char *type) {
  std::string keyUp = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", heads, nope, latentWidth),
              valueUp = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", heads, value, latentWidth);
  return llvm::formatv(
      "plan.kernel @k items {0} per {1} rows tokens parts [array<i64>, array<i64>, array<i64: 1>, array<i64: 1>] {{\n"
      "^bb0(%q: tensor<?x{2}xf32>, %batch: !moe.batch, %uk: {3}, %uv: {4}):\n"
      "  moe.cache @cache0 : tensor<?x{5}x{6}>\n"
      "  %o = moe.{7} %q over @cache0 at %batch with %uk, %uv {{scale = 1.5e-1 : f64, compute = #moe<compute {6}>}\n"
      "    : tensor<?x{2}xf32>, {3}, {4} -> tensor<?x{8}xf32>\n"
      "  plan.return %o : tensor<?x{8}xf32>\n}\n",
      heads, extent, heads * (nope + rotary), keyUp, valueUp, latentWidth + rotary, type, op, heads * value);
}

TEST(LatentAttention, F32) {
  check(latent("latent_attention", "sequences", 3, 32, 16, 32, 64, "f32"), 1e-5);
  check(latent("latent_attention", "sequences", 2, 9, 6, 21, 35, "f32"), 1e-5);
}
TEST(LatentAttention, BF16) { check(latent("latent_attention", "sequences", 2, 32, 16, 32, 64, "bf16"), 1e-2); }

TEST(AbsorbedAttention, F32) {
  check(latent("absorbed_attention", "tokens", 3, 32, 16, 32, 64, "f32"), 1e-5);
  check(latent("absorbed_attention", "tokens", 2, 9, 6, 21, 35, "f32"), 1e-5);
  check(latent("absorbed_attention", "tokens", 18, 8, 8, 8, 16, "f32"), 1e-5);
}
TEST(AbsorbedAttention, BF16) { check(latent("absorbed_attention", "tokens", 2, 32, 16, 32, 64, "bf16"), 1e-2); }
