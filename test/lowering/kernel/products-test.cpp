// linear, grouped_linear and gate_up against the reference evaluator, over odd shapes, types and splits.
#include "KernelRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace moec::test;

static std::string linear(int64_t in, int64_t out, const char *type, const char *compute, const char *parts = nullptr,
                          bool bias = false, bool residual = false) {
  std::string rows = parts ? parts : std::to_string(out);
  std::string text =
      llvm::formatv("plan.kernel @k items {0} per constant rows tokens parts [array<i64>, array<i64: {1}>", (out + 15) / 16, rows);
  text += bias ? llvm::formatv(", array<i64: {0}>", rows).str() : "";
  text += residual ? ", array<i64>" : "";
  text += llvm::formatv("] {{\n^bb0(%x: tensor<?x{0}xf32>, %w: tensor<{1}x{0}x{2}>", in, out, type);
  text += bias ? llvm::formatv(", %b: tensor<{0}x{1}>", out, type).str() : "";
  text += residual ? llvm::formatv(", %r: tensor<?x{0}xf32>", out).str() : "";
  text += "):\n  %y = moe.linear %x, %w";
  text += bias ? llvm::formatv(" bias %b (tensor<{0}x{1}>)", out, type).str() : "";
  text += residual ? llvm::formatv(" residual %r (tensor<?x{0}xf32>)", out).str() : "";
  text += llvm::formatv(" {{compute = #moe<compute {3}>} : tensor<?x{0}xf32>, tensor<{1}x{0}x{2}> -> tensor<?x{1}xf32>\n", in, out,
                        type, compute);
  return text + llvm::formatv("  plan.return %y : tensor<?x{0}xf32>\n}\n", out).str();
}

static void check(const std::string &text, std::vector<int64_t> tokenCounts, double tolerance, Tiles tiles = Tiles::early) {
  KernelRun run(text, tiles);
  for (int64_t tokens : tokenCounts) {
    SCOPED_TRACE(text + " with " + std::to_string(tokens) + " tokens");
    run.setStep({{0, tokens}});
    run.makeUp(uint64_t(tokens));
    run.expectAsEvaluated(tolerance);
  }
  run.expectSameRowsAlone();
}

/// Every width around the steps of the micro-kernel, every remainder of a tile's rows.
TEST(Linear, OddShapes) {
  for (int64_t in : {1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70})
    check(linear(in, in % 40 + 1, "bf16", "f32"), {1, in % 19 + 2}, 1e-5);
  for (int64_t in : {1, 3, 31, 32, 45, 64})
    check(linear(in, 37, "bf16", "bf16"), {0, 1, in % 19 + 2}, 1e-5);
}

TEST(Linear, RemaindersOfTiles) {
  for (const char *compute : {"f32", "bf16"})
    check(linear(96, 40, "bf16", compute), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 70}, 1e-5);
  // Rows of which a part has a pair of units and the last half of one, or a pair and one more.
  for (int64_t in : {160, 352})
    check(linear(in, 40, "bf16", "bf16", "16, 24", false, true), {70}, 1e-5);
}

TEST(Linear, StorageTypes) {
  for (const char *type : {"f32", "f16"})
    for (const char *compute : {"f32", "bf16"}) {
      check(linear(64, 32, type, compute), {1, 7}, 1e-5);
      check(linear(41, 17, type, compute), {3, 6}, 1e-5);
    }
}

/// Groups smaller and larger than an item of columns.
TEST(GroupedLinear, Groups) {
  for (auto [groups, in, out] : {std::tuple(1, 40, 24), std::tuple(2, 40, 12), std::tuple(3, 17, 10), std::tuple(4, 64, 33)})
    for (const char *compute : {"f32", "bf16"})
      check(
          llvm::formatv("plan.kernel @k items {0} per constant rows tokens parts [array<i64>, array<i64: {1}>] {{\n"
                        "^bb0(%x: tensor<?x{2}xf32>, %w: tensor<{1}x{3}xbf16>):\n"
                        "  %y = moe.grouped_linear %x, %w {{compute = #moe<compute {4}>} : tensor<?x{2}xf32>, tensor<{1}x{3}xbf16> "
                        "-> tensor<?x{1}xf32>\n"
                        "  plan.return %y : tensor<?x{1}xf32>\n}\n",
                        (out + 15) / 16 * groups, groups * out, groups * in, in, compute),
          {0, 1, 5, 70}, 1e-5);
}

/// Fused projections: parts of different sizes whose boundaries lie within items.
TEST(Linear, PartsBiasResidual) {
  check(linear(64, 50, "bf16", "f32", "20, 7, 23", true, true), {1, 5}, 1e-5);
  check(linear(64, 48, "bf16", "bf16", "20, 28", false, true), {1, 9}, 1e-5);
}

/// More rows than a block, and more columns than a tile; depths that end in each quarter's first and last step.
TEST(Linear, Blocks) {
  check(linear(32, 16, "bf16", "bf16"), {200}, 1e-5);
  check(linear(136, 150, "bf16", "bf16", "70, 80", true, true), {33, 64, 129}, 1e-5);
  check(linear(520, 130, "bf16", "bf16"), {40}, 1e-5);
}

/// Few columns: blocks of all rows together would be fewer than a GPU has room for.
TEST(Linear, ManyRowsInNarrowBlocks) {
  check(linear(520, 33, "bf16", "bf16", nullptr, true, true), {64, 70, 129}, 1e-5, Tiles::asTheyPay);
}

static std::string gateUp(int64_t in, int64_t out, const char *compute, const char *activation) {
  return llvm::formatv("plan.kernel @k items {2} per constant rows tokens parts [array<i64>, array<i64: {1}>, array<i64: {1}>] {{\n"
                       "^bb0(%x: tensor<?x{0}xf32>, %g: tensor<{1}x{0}xbf16>, %u: tensor<{1}x{0}xbf16>):\n"
                       "  %y = moe.gate_up %x, %g, %u {{activation = #moe.activation<{4}>, compute = #moe<compute {3}>}\n"
                       "    : tensor<?x{0}xf32>, tensor<{1}x{0}xbf16>, tensor<{1}x{0}xbf16> -> tensor<?x{1}xf32>\n"
                       "  plan.return %y : tensor<?x{1}xf32>\n}\n",
                       in, out, (out + 15) / 16, compute, activation);
}

TEST(GateUp, Activations) {
  for (const char *activation : {"kind = silu", "kind = gelu", "kind = gelu_tanh", "kind = relu", "kind = identity",
                                 "kind = silu, alpha = 1.702, gate_max = 0.5, up_limit = 0.7, up_offset = 1.0"})
    check(gateUp(32, 20, "f32", activation), {1, 6}, 1e-5);
  check(gateUp(96, 48, "bf16", "kind = silu"), {2, 15}, 1e-5);
  check(gateUp(200, 70, "bf16", "kind = silu"), {33, 65}, 1e-5);
  check(gateUp(352, 70, "bf16", "kind = silu"), {37}, 1e-5); // parts of three units
}
