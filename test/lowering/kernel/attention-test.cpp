// Attention in all its forms against the reference evaluator, over ragged batches and paged caches.
#include "KernelRun.h"

#include "lowering/plan/Schedule.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace moec;
using namespace moec::test;

/// Sequences with and without a past, within a page, across pages, exactly a page.
static const std::vector<std::vector<Sequence>> steps = {
    {{0, 1}}, {{0, 70}}, {{63, 1}, {64, 1}, {150, 1}}, {{0, 5}, {60, 10}, {130, 1}, {0, 64}}, {{190, 7}}};

/// The least of them that make a block meet its edges.
static const std::vector<std::vector<Sequence>> fewSteps = {{{63, 1}, {64, 1}, {150, 1}}, {{0, 5}, {61, 10}}};

/// Queries are `factor` times as large as what is made up.
static void check(const std::string &text, double tolerance, const std::vector<std::vector<Sequence>> &steps = ::steps,
                  double factor = 1) {
  KernelRun run(text);
  for (const std::vector<Sequence> &step : steps) {
    SCOPED_TRACE(text + " with " + std::to_string(step.size()) + " sequences");
    run.setStep(step);
    run.makeUp(step.size());
    run.scale(0, factor);
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
  std::string text =
      llvm::formatv("plan.kernel @k items {0} per sequences rows tokens parts [array<i64>, array<i64>{1}] {{\n"
                    "^bb0(%q: tensor<?x{2}xf32>, %batch: !moe.batch{3}):\n",
                    kvHeads * lowering::blocksOfHeads(heads / kvHeads),
                    sinks ? llvm::formatv(", array<i64: {0}>", heads).str() : "", queryWidth, sinks ? ", %sinks: " + sinkType : "");
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

/// By matrix units: a group of one head, of several, of more than a tile's rows; widths that are no multiple of a step of the
/// depth.
TEST(Attention, Tiles) {
  check(attention(2, 2, 16, 24, "bf16"), 2e-2, fewSteps);
  check(attention(10, 2, 40, 8, "bf16"), 2e-2, fewSteps);
  check(attention(40, 1, 8, 16, "bf16"), 2e-2, fewSteps);
}
TEST(Attention, TilesOfWhatIsVisible) {
  check(attention(4, 2, 16, 16, "bf16", ", window = 5 : i64"), 2e-2, fewSteps);
  check(attention(6, 2, 16, 16, "bf16", ", window = 100 : i64", true), 2e-2, fewSteps);
  check(attention(4, 2, 16, 16, "bf16", ", chunk = 24 : i64"), 2e-2, fewSteps);
  check(attention(4, 1, 16, 16, "bf16", ", soft_cap = 2.0 : f64", true), 2e-2, fewSteps);
}
/// Spans with and without a window that begins within one; tokens of one sequence on both sides of a span's end.
TEST(Attention, LongContexts) {
  for (const char *extra : {"", ", window = 700 : i64"}) {
    KernelRun run(attention(6, 2, 16, 16, "bf16", extra, true));
    run.setStep({{255, 1}, {256, 1}, {1999, 1}, {4094, 4}, {253, 6}});
    run.makeUp(3);
    run.expectAsEvaluated(2e-2);
    run.expectSameRowsAlone();
  }
}
TEST(Attention, Window) { check(attention(2, 2, 16, 16, "f32", ", window = 5 : i64"), 1e-5); }
TEST(Attention, LongWindow) { check(attention(2, 2, 16, 16, "f32", ", window = 100 : i64"), 1e-5); }
TEST(Attention, Chunk) { check(attention(2, 1, 16, 16, "f32", ", chunk = 24 : i64"), 1e-5); }
TEST(Attention, SoftCapAndSinks) { check(attention(4, 2, 16, 16, "f32", ", soft_cap = 2.0 : f64", true), 1e-5); }
/// More rows than a block: 70 tokens x 3 heads.
TEST(Attention, Blocks) { check(attention(3, 1, 16, 16, "f32"), 1e-5); }

/// A decode step of Qwen3-30B-A3B's sizes moves the caches once, in whole sectors, and more positions meet no bank conflict.
TEST(Attention, Traffic) {
  KernelRun run(attention(32, 4, 128, 128, "bf16"));
  run.setStep({{299, 1}, {1999, 1}});
  run.makeUp(4);
  runtime::emulator::Counters counters = run.count("sm_80");
  double compulsory = (300 + 2000) * 4 * 128 * 2 * 2 + 2 * 32 * 128 * 4;
  EXPECT_LE(double(counters.uniqueSectorsLoaded * 32), 1.05 * compulsory);
  EXPECT_LE(double(counters.globalSectorsLoaded * 32), 1.05 * double(counters.globalBytesLoaded));
  EXPECT_LE(double(counters.globalSectorsStored * 32), 1.05 * double(counters.globalBytesStored));
  runtime::emulator::Counters ofLength[2];
  for (int64_t i : {0, 1}) {
    run.setStep({{i ? 255 : 63, 1}});
    run.makeUp(4);
    ofLength[i] = run.count("sm_80");
  }
  EXPECT_LE(double(ofLength[1].globalBytesLoaded - ofLength[0].globalBytesLoaded), 1.05 * (256 - 64) * 4 * 128 * 2 * 2);
  EXPECT_EQ(ofLength[1].bankConflicts, ofLength[0].bankConflicts);
}

/// For steps of so many sequences.
static std::string modelOf(int64_t sequences) {
  return llvm::formatv(
      "plan.model \"m\" {{vocabulary = 8 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = 4096 : i64, "
      "max_batch = {0} : i64, page_size = 64 : i64, eos = array<i64>, compute = \"bf16\"}\n",
      sequences);
}

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
/// By matrix units: heads that fill a tile of 16 rows, two tiles, several blocks; several tokens in a tile; widths that are no
/// multiple of a step of the depth, or have an odd number of tiles.
TEST(LatentAttention, Tiles) {
  check(latent("latent_attention", "sequences", 5, 20, 8, 9, 24, "bf16"), 2e-2, fewSteps);
  check(latent("latent_attention", "sequences", 3, 12, 16, 40, 16, "bf16"), 2e-2, fewSteps);
}
TEST(AbsorbedAttention, Tiles) {
  check(latent("absorbed_attention", "tokens", 16, 16, 16, 20, 136, "bf16"), 2e-2, fewSteps);
  check(latent("absorbed_attention", "tokens", 20, 6, 8, 8, 40, "bf16"), 2e-2, fewSteps);
  check(latent("absorbed_attention", "tokens", 33, 4, 8, 4, 16, "bf16"), 2e-2, fewSteps);
}

/// The same with up-projections in codes, cut from one tensor that has the rows of a head's keys before those of its values.
static std::string latentOfCodes(const char *op, const char *extent, int64_t heads, int64_t nope, int64_t rotary, int64_t value,
                                 int64_t latentWidth, const char *element, int64_t rows, int64_t columns, const char *scale,
                                 const char *more = "") {
  int64_t blocks = (latentWidth + columns - 1) / columns, ofRows = (heads * (nope + value) + rows - 1) / rows;
  auto stored = [&](int64_t width) { return llvm::formatv("tensor<{0}x{1}x{2}x{3}>", heads, width, latentWidth, element).str(); };
  auto plain = [&](int64_t width) { return llvm::formatv("tensor<{0}x{1}x{2}xf32>", heads, width, latentWidth).str(); };
  std::string scales = llvm::formatv("tensor<{0}x{1}x{2}>", ofRows, blocks, scale);
  auto dequantize = [&](const char *name, int64_t first, int64_t width) {
    return llvm::formatv(
               "  %{0} = moe.dequantize %{0}v by %s as <rows = {1}, columns = {2}{3}, first_row = {4}, tensor_rows = {5}> : "
               "{6}, {7}\n",
               name, rows, columns, more, first, nope + value, stored(width), scales)
        .str();
  };
  std::string text =
      llvm::formatv("plan.kernel @k items {0} per {1} rows tokens parts [array<i64>, array<i64>, array<i64: 1>, array<i64: "
                    "1>, array<i64: {2}>] {{\n"
                    "^bb0(%q: tensor<?x{3}xf32>, %batch: !moe.batch, %ukv: {4}, %uvv: {5}, %s: {6}):\n"
                    "  moe.cache @cache0 : tensor<?x{7}xbf16>\n",
                    heads, extent, ofRows, heads * (nope + rotary), stored(nope), stored(value), scales, latentWidth + rotary);
  text += dequantize("uk", 0, nope) + dequantize("uv", nope, value);
  return text + llvm::formatv(
                    "  %o = moe.{0} %q over @cache0 at %batch with %uk, %uv {{scale = 1.5e-1 : f64, compute = #moe<compute bf16>}\n"
                    "    : tensor<?x{1}xf32>, {2}, {3} -> tensor<?x{4}xf32>\n"
                    "  plan.return %o : tensor<?x{4}xf32>\n}\n",
                    op, heads * (nope + rotary), plain(nope), plain(value), heads * value)
                    .str();
}

/// By matrix units, which take up-projections in codes as bf16: blocks of rows that reach from one head to the next, groups of
/// columns, blocks of which there is a ragged last one. Codes are large numbers: queries are small, or scores would be so large
/// that one position alone counts.
TEST(AbsorbedAttention, UpProjectionsInCodes) {
  constexpr double small = 1.0 / 64;
  check(latentOfCodes("absorbed_attention", "tokens", 5, 16, 8, 20, 136, "f8E4M3FN", 128, 128, "f32"), 2e-2, fewSteps, small);
  check(latentOfCodes("absorbed_attention", "tokens", 3, 12, 8, 40, 64, "ui4", 1, 32, "bf16", ", zero_point = 8"), 2e-2, fewSteps,
        small);
  check(latentOfCodes("absorbed_attention", "tokens", 2, 16, 16, 8, 32, "f4E2M1FN", 1, 16, "f8E4M3FN"), 2e-2, fewSteps, small);
}
TEST(LatentAttention, UpProjectionsInCodes) {
  check(latentOfCodes("latent_attention", "sequences", 5, 16, 8, 20, 136, "f8E4M3FN", 128, 128, "f32"), 2e-2, fewSteps, 1.0 / 64);
}

static std::string expanded(int64_t heads, int64_t nope, int64_t rotary, int64_t value, int64_t latentWidth) {
  return modelOf(3) + latent("latent_attention", "sequences", heads, nope, rotary, value, latentWidth, "bf16");
}
/// Prefill by matrix units with keys and values of the heads: tiles of tokens that are full and not, beside tokens behind the
/// positions that are computed so.
TEST(LatentAttention, Expanded) {
  KernelRun run(expanded(3, 16, 8, 24, 40));
  run.setStep({{0, 129}, {61, 10}, {1022, 4}});
  run.makeUp(3);
  run.expectAsEvaluated(2e-2);
  run.setStep({{62, 3}, {1023, 2}});
  run.makeUp(2);
  run.expectSameRowsAlone();
}
/// Blocks of eight warps; heads of which a tile of rows belongs to two warps, or four; codes.
TEST(LatentAttention, ExpandedTiles) {
  const std::vector<Sequence> step = {{0, 5}, {61, 10}};
  for (const std::string &text : {expanded(18, 8, 8, 8, 16), expanded(2, 192, 8, 136, 168), expanded(1, 392, 8, 264, 328)}) {
    KernelRun run(text);
    run.setStep(step);
    run.makeUp(1);
    run.expectAsEvaluated(2e-2);
  }
  KernelRun run(modelOf(2) + latentOfCodes("latent_attention", "sequences", 3, 16, 8, 40, 64, "f8E4M3FN", 128, 128, "f32"));
  run.setStep(step);
  run.makeUp(1);
  run.scale(0, 1.0 / 64);
  run.expectAsEvaluated(2e-2);
}

/// A prefill step of DeepSeek-V2-Lite's sizes multiplies as often as keys, values and attention of whole tiles need, moves whole
/// sectors, and conflicts over banks where sums of products change places only.
TEST(LatentAttention, ExpandedWork) {
  KernelRun run(expanded(16, 128, 64, 128, 512));
  run.setStep({{0, 64}});
  run.makeUp(4);
  runtime::emulator::Counters counters = run.count("sm_80");
  constexpr uint64_t ofOperation = 16 * 8 * 16, make = 64 * (128 + 128) * 512 * 16, attend = 64 * 64 * (192 + 128) * 16;
  uint64_t operations = std::accumulate(counters.matrixOperations.begin(), counters.matrixOperations.end(), uint64_t(0));
  EXPECT_EQ(operations, (make + attend) / ofOperation);
  EXPECT_LE(double(counters.globalSectorsLoaded * 32), 1.05 * double(counters.globalBytesLoaded));
  EXPECT_LE(double(counters.globalSectorsStored * 32), 1.05 * double(counters.globalBytesStored));
  constexpr uint64_t columns = 2 * 128 * 16, readsOfRow = columns / 32;
  EXPECT_EQ(counters.bankConflicts, 64 * readsOfRow * 3);
}

/// Contexts of many spans, of lengths around those of pages and spans, in one batch and alone.
TEST(AbsorbedAttention, LongContexts) {
  KernelRun run(latent("absorbed_attention", "tokens", 5, 16, 16, 16, 32, "bf16"));
  run.setStep({{0, 1}, {62, 1}, {63, 1}, {64, 1}, {299, 1}, {511, 1}, {512, 1}, {1999, 1}, {9000, 1}, {509, 6}});
  run.makeUp(3);
  run.expectAsEvaluated(2e-2);
  run.expectSameRowsAlone();
}

/// DeepSeek-V2-Lite's sizes, in numbers.
TEST(AbsorbedAttention, FullSize) {
  KernelRun run(latent("absorbed_attention", "tokens", 16, 128, 64, 128, 512, "bf16"));
  run.setStep({{99, 1}, {63, 1}});
  run.makeUp(5);
  run.expectAsEvaluated(2e-2);
}

/// A decode step of DeepSeek-V2-Lite's sizes moves the weights and the cache once, in whole sectors.
TEST(AbsorbedAttention, Traffic) {
  KernelRun run(latent("absorbed_attention", "tokens", 16, 128, 64, 128, 512, "bf16"));
  run.setStep({{299, 1}, {1999, 1}});
  run.makeUp(4);
  runtime::emulator::Counters counters = run.count("sm_80");
  int64_t weights = 2 * 16 * 128 * 512 * 2, cache = (300 + 2000) * 576 * 2, queries = 2 * 16 * 192 * 4;
  double compulsory = double(weights + cache + queries);
  EXPECT_LE(double(counters.uniqueSectorsLoaded * 32), 1.05 * compulsory);
  EXPECT_LE(double(counters.globalSectorsLoaded * 32), 1.2 * compulsory); // what spans left is read for several groups of columns
  EXPECT_LE(double(counters.globalSectorsLoaded * 32), 1.05 * double(counters.globalBytesLoaded));
  EXPECT_LE(double(counters.globalSectorsStored * 32), 1.05 * double(counters.globalBytesStored));

  // What more positions cost is one read of their rows for all heads, and no bank conflict.
  runtime::emulator::Counters ofLength[2];
  for (int64_t i : {0, 1}) {
    run.setStep({{i ? 511 : 63, 1}});
    run.makeUp(4);
    ofLength[i] = run.count("sm_80");
  }
  EXPECT_LE(double(ofLength[1].globalBytesLoaded - ofLength[0].globalBytesLoaded), 1.02 * (512 - 64) * 576 * 2);
  EXPECT_EQ(ofLength[1].bankConflicts, ofLength[0].bankConflicts);
}

TEST(AbsorbedAttention, BF16) { check(latent("absorbed_attention", "tokens", 2, 32, 16, 32, 64, "bf16"), 1e-2); }
