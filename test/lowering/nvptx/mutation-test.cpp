// The checks of kernels catch mistakes: kernels of every family, of shapes that leave little of their code idle, are checked as the
// tests of the kernels do, and so are mutants of them, nearly all of which have to fail.
// usage: lowering-nvptx-mutation-tests [--share=N] [--seed=N]     one of every N mistakes that a kernel offers
#include "../kernel/KernelRun.h"
#include "MutantKernel.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <map>

using namespace moec::test;

namespace {
using Steps = std::vector<std::vector<Sequence>>;

/// Runs the steps, and the last one again with a first argument that is as many times as large as `stretches` say, one after the
/// other.
void check(const std::string &text, double tolerance, const Steps &steps, const std::vector<double> &stretches = {}) {
  KernelRun run(text);
  for (const std::vector<Sequence> &step : steps) {
    run.setStep(step);
    run.makeUp(step.size());
    run.expectAsEvaluated(tolerance);
  }
  for (double stretch : stretches) {
    run.scale(0, stretch);
    run.expectAsEvaluated(tolerance);
  }
}

/// Sequences with and without a past, shorter and longer than a page, and than a span of them.
const Steps sequences = {{{0, 5}, {60, 10}, {270, 1}}};
/// Few tokens, what is more than half of a block's, and what fills one, as nothing shows what happens to rows behind the last; then
/// a tile full and one more.
const Steps tokens = {{{0, 3}}, {{0, 12}}, {{0, 32}}, {{0, 65}}};

std::string attention(const char *type, const char *extra, bool sinks) {
  return llvm::formatv("plan.kernel @k items 2 per sequences rows tokens parts [array<i64>, array<i64>{2}] {{\n"
                       "^bb0(%q: tensor<?x448xf32>, %batch: !moe.batch{3}):\n"
                       "  moe.cache @cache0 : tensor<?x224x{0}>\n  moe.cache @cache1 : tensor<?x128x{0}>\n"
                       "  %o = moe.attention %q over @cache0, @cache1 at %batch{4} {{head_dim = 112 : i64, scale = 1.0e-1 : f64, "
                       "compute = #moe<compute {0}>{1}} : tensor<?x448xf32> -> tensor<?x256xf32>\n"
                       "  plan.return %o : tensor<?x256xf32>\n}\n",
                       type, extra, sinks ? ", array<i64: 4>" : "", sinks ? ", %sinks: tensor<4xf32>" : "",
                       sinks ? " sinks %sinks (tensor<4xf32>)" : "");
}

/// Codes of `element` with a scale for so many columns of a row.
std::string linearOfCodes(const char *element, int64_t columns, const char *scale, int64_t in) {
  std::string values = llvm::formatv("tensor<40x{0}x{1}>", in, element),
              scales = llvm::formatv("tensor<40x{0}x{1}>", (in + columns - 1) / columns, scale);
  return llvm::formatv("plan.kernel @k items 3 per constant rows tokens parts [array<i64>, array<i64: 40>, array<i64: 40>] {{\n"
                       "^bb0(%x: tensor<?x{0}xf32>, %v: {1}, %s: {2}):\n"
                       "  %w = moe.dequantize %v by %s as <rows = 1, columns = {3}> : {1}, {2}\n"
                       "  %y = moe.linear %x, %w {{compute = #moe<compute bf16>} : tensor<?x{0}xf32>, tensor<40x{0}xf32> -> "
                       "tensor<?x40xf32>\n  plan.return %y : tensor<?x40xf32>\n}\n",
                       in, values, scales, columns);
}

std::string latent(const char *op, const char *extent, const char *type) {
  return llvm::formatv(
      "plan.kernel @k items 16 per {1} rows tokens parts [array<i64>, array<i64>, array<i64: 1>, array<i64: 1>] {{\n"
      "^bb0(%q: tensor<?x1536xf32>, %batch: !moe.batch, %uk: tensor<16x64x128xbf16>, %uv: tensor<16x64x128xbf16>):\n"
      "  moe.cache @cache0 : tensor<?x160x{2}>\n"
      "  %o = moe.{0} %q over @cache0 at %batch with %uk, %uv {{scale = 1.0e-1 : f64, compute = #moe<compute {2}>}\n"
      "    : tensor<?x1536xf32>, tensor<16x64x128xbf16>, tensor<16x64x128xbf16> -> tensor<?x1024xf32>\n"
      "  plan.return %o : tensor<?x1024xf32>\n}\n",
      op, extent, type);
}

/// In prefill, for tokens of both forms: of sequences of 128 positions these are expanded, and those behind them are not.
std::string expanded() {
  return "plan.model \"m\" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = 128 : i64, max_batch = 3 "
         ": "
         "i64, page_size = 64 : i64, eos = array<i64>, compute = \"bf16\"}\n"
         "plan.kernel @k items 3 per sequences rows tokens parts [array<i64>, array<i64>, array<i64: 1>, array<i64: 1>] {\n"
         "^bb0(%q: tensor<?x288xf32>, %batch: !moe.batch, %uk: tensor<3x64x128xbf16>, %uv: tensor<3x96x128xbf16>):\n"
         "  moe.cache @cache0 : tensor<?x160xbf16>\n"
         "  %o = moe.latent_attention %q over @cache0 at %batch with %uk, %uv {scale = 1.0e-1 : f64, compute = #moe<compute "
         "bf16>}\n"
         "    : tensor<?x288xf32>, tensor<3x64x128xbf16>, tensor<3x96x128xbf16> -> tensor<?x288xf32>\n"
         "  plan.return %o : tensor<?x288xf32>\n}\n";
}

std::string groupedLinear(const char *compute, int64_t in) {
  return llvm::formatv("plan.kernel @k items 6 per constant rows tokens parts [array<i64>, array<i64: 99>] {{\n"
                       "^bb0(%x: tensor<?x{0}xf32>, %w: tensor<99x{1}xbf16>):\n"
                       "  %y = moe.grouped_linear %x, %w {{compute = #moe<compute {2}>} : tensor<?x{0}xf32>, tensor<99x{1}xbf16> "
                       "-> tensor<?x99xf32>\n"
                       "  plan.return %y : tensor<?x99xf32>\n}\n",
                       3 * in, in, compute);
}

// Products of bf16 are so deep that each warp's memory for weights is used again.
std::string linear(const char *type, const char *compute, int64_t in) {
  return llvm::formatv("plan.kernel @k items 7 per constant rows tokens parts [array<i64>, array<i64: 70, 28>, array<i64: 70, 28>, "
                       "array<i64>] {{\n"
                       "^bb0(%x: tensor<?x{2}xf32>, %w: tensor<98x{2}x{0}>, %b: tensor<98x{0}>, %r: tensor<?x98xf32>):\n"
                       "  %y = moe.linear %x, %w bias %b (tensor<98x{0}>) residual %r (tensor<?x98xf32>) "
                       "{{compute = #moe<compute {1}>} : tensor<?x{2}xf32>, tensor<98x{2}x{0}> -> tensor<?x98xf32>\n"
                       "  plan.return %y : tensor<?x98xf32>\n}\n",
                       type, compute, in);
}

std::string gateUp(const char *activation, const char *compute, int64_t in) {
  return llvm::formatv("plan.kernel @k items 7 per constant rows tokens parts [array<i64>, array<i64: 98>, array<i64: 98>] {{\n"
                       "^bb0(%x: tensor<?x{2}xf32>, %g: tensor<98x{2}xbf16>, %u: tensor<98x{2}xbf16>):\n"
                       "  %y = moe.gate_up %x, %g, %u {{activation = #moe.activation<kind = {0}>, compute = #moe<compute {1}>}\n"
                       "    : tensor<?x{2}xf32>, tensor<98x{2}xbf16>, tensor<98x{2}xbf16> -> tensor<?x98xf32>\n"
                       "  plan.return %y : tensor<?x98xf32>\n}\n",
                       activation, compute, in);
}

// Experts: 6 of them, 3 to a token.
constexpr int64_t experts = 6, k = 3;

std::string hidden(const char *compute, int64_t in) {
  return llvm::formatv(
      "plan.kernel @k items 5 per constant rows tokens parts [array<i64>, array<i64>, array<i64>, array<i64: 1>, array<i64: 1>, "
      "array<i64: 136>, array<i64: 136>] {{\n"
      "^bb0(%x: tensor<?x{1}xf32>, %offsets: tensor<7xi32>, %order: tensor<?x3xi32>, %g: tensor<6x72x{1}xbf16>, "
      "%u: tensor<6x72x{1}xbf16>, %sg: tensor<136x{1}xbf16>, %su: tensor<136x{1}xbf16>):\n"
      "  %h = moe.expert_hidden %x by %offsets, %order with %g, %u shared %sg, %su (tensor<136x{1}xbf16>, tensor<136x{1}xbf16>) "
      "{{activation = #moe.activation<kind = silu>, compute = #moe<compute {0}>}\n"
      "    : tensor<?x{1}xf32>, tensor<7xi32>, tensor<?x3xi32>, tensor<6x72x{1}xbf16>, tensor<6x72x{1}xbf16> -> "
      "tensor<?x352xf32>\n  plan.return %h : tensor<?x352xf32>\n}\n",
      compute, in);
}

// Rows are as long as to give work to each warp of a block.
std::string combine(const char *compute) {
  return llvm::formatv(
      "plan.kernel @k items 7 per constant rows tokens parts [array<i64>, array<i64>, array<i64>, array<i64>, array<i64: 1>, "
      "array<i64: 98>, array<i64>] {{\n"
      "^bb0(%h: tensor<?x512xf32>, %weights: tensor<?x3xf32>, %offsets: tensor<7xi32>, %order: tensor<?x3xi32>, "
      "%d: tensor<6x98x104xbf16>, %sd: tensor<98x200xbf16>, %r: tensor<?x98xf32>):\n"
      "  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x3xf32>) with %d shared %sd (tensor<98x200xbf16>) "
      "residual %r "
      "(tensor<?x98xf32>) {{compute = #moe<compute {0}>}\n"
      "    : tensor<?x512xf32>, tensor<7xi32>, tensor<?x3xi32>, tensor<6x98x104xbf16> -> tensor<?x98xf32>\n"
      "  plan.return %y : tensor<?x98xf32>\n}\n",
      compute);
}

/// Gives the argument `offsets` and the next one what moe.dispatch makes of a routing that gives the first expert all tokens, and
/// one none: of few tokens the last.
void checkRouted(const std::string &text, unsigned offsets, double tolerance) {
  KernelRun run(text);
  for (int64_t count : {2, 12, 32, 65}) { // as `tokens`
    const int64_t none = count < 33 ? experts - 1 : 2;
    auto expertOf = [&](int64_t token, int64_t slot) {
      int64_t other = slot ? (token + slot) % (experts - 2) + 1 : 0;
      return other + (other >= none);
    };
    Tensor first({experts + 1}), order({count, k});
    int64_t place = 0;
    for (int64_t expert = 0; expert < experts; ++expert) {
      for (int64_t a = 0; a < count * k; ++a)
        if (expertOf(a / k, a % k) == expert)
          order.elements[size_t(place++)] = double(a);
      first.elements[size_t(expert) + 1] = double(place);
    }
    run.setStep({{0, count}});
    run.give(offsets, first);
    run.give(offsets + 1, order);
    run.makeUp(3);
    run.expectAsEvaluated(tolerance);
  }
}

std::string route(int64_t count, int64_t chosen, const char *routing, bool bias) {
  std::string logits = llvm::formatv("tensor<?x{0}xf32>", count), biases = llvm::formatv("tensor<{0}xf32>", count);
  return llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>{0}] {{\n^bb0(%x: {1}{2}):\n"
                       "  %ids, %w = moe.route %x{3} {{routing = #moe.routing<k = {4}, {5}>} : {1} -> tensor<?x{4}xi32>, "
                       "tensor<?x{4}xf32>\n  plan.return %ids, %w : tensor<?x{4}xi32>, tensor<?x{4}xf32>\n}\n",
                       bias ? llvm::formatv(", array<i64: {0}>", count).str() : "", logits, bias ? ", %b: " + biases : "",
                       bias ? " bias %b (" + biases + ")" : "", chosen, routing);
}
} // namespace

TEST(Mutants, Attention) {
  check(attention("f32", ", window = 40 : i64", false), 1e-5, sequences, {60});
  check(attention("f32", ", soft_cap = 20.0 : f64", true), 1e-5, sequences);
  check(attention("bf16", "", false), 3e-3, sequences);
}

TEST(Mutants, LatentAttention) {
  check(latent("latent_attention", "sequences", "f32"), 1e-5, {{{0, 3}, {66, 2}}}, {60});
  check(latent("absorbed_attention", "tokens", "bf16"), 6e-3, {{{0, 15}, {520, 2}}});
  // Queries four times as large make a softmax sharp: rounding its weights to bf16 then costs 8e-3.
  check(expanded(), 1e-2, {{{2, 3}}, {{0, 67}, {62, 4}, {125, 14}}}, {4});
}

TEST(Mutants, Products) {
  check(linear("bf16", "f32", 200), 1e-5, tokens);
  check(gateUp("silu", "f32", 200), 1e-5, tokens);
  check(linear("bf16", "bf16", 1096), 1e-5, tokens);
  check(gateUp("silu", "bf16", 552), 1e-5, tokens);
  check(linear("f32", "f32", 200), 1e-5, tokens);
  check(gateUp("gelu_tanh", "f32", 200), 1e-5, tokens, {8});
}

TEST(Mutants, GroupedLinear) {
  check(groupedLinear("f32", 200), 1e-5, tokens);
  check(groupedLinear("bf16", 1096), 1e-5, tokens);
}

TEST(Mutants, Codes) {
  check(linearOfCodes("f8E4M3FN", 128, "f32", 1104), 1e-5, tokens);
  check(linearOfCodes("ui4", 32, "bf16", 1056), 1e-5, tokens);
}

TEST(Mutants, Experts) {
  checkRouted(hidden("f32", 136), 1, 1e-5);
  checkRouted(hidden("bf16", 552), 1, 1e-5);
  for (const char *compute : {"f32", "bf16"})
    checkRouted(combine(compute), 2, 1e-5);
}

TEST(Mutants, Rows) {
  const Steps few = {{{0, 3}, {61, 4}}};
  check("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: 500>] {\n"
        "^bb0(%x: tensor<?x500xf32>, %w: tensor<500xbf16>):\n"
        "  %y = moe.rms_norm %x, %w {epsilon = 1.0e-1 : f64} : tensor<?x500xf32>, tensor<500xbf16>\n"
        "  plan.return %y : tensor<?x500xf32>\n}\n",
        1e-5, few);
  check("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64: 400>, array<i64>] {\n"
        "^bb0(%x: tensor<?x400xf32>, %y: tensor<?x400xf32>, %w: tensor<400xbf16>, %batch: !moe.batch):\n"
        "  moe.cache @cache0 : tensor<?x400xbf16>\n"
        "  %s, %n, %c = moe.rowwise(%x, %y, %w, %batch) : (tensor<?x400xf32>, tensor<?x400xf32>, tensor<400xbf16>, !moe.batch) ->\n"
        "    (tensor<?x400xf32>, tensor<?x400xf32>, tensor<?x240xf32>) {\n"
        "  ^bb0(%a: tensor<?x400xf32>, %b: tensor<?x400xf32>, %v: tensor<400xbf16>, %at: !moe.batch):\n"
        "    %sum = arith.addf %a, %b : tensor<?x400xf32>\n"
        "    %norm = moe.rms_norm %sum, %v {epsilon = 1.0e-1 : f64} : tensor<?x400xf32>, tensor<400xbf16>\n"
        "    %left = moe.columns %norm from 0 : tensor<?x400xf32> -> tensor<?x240xf32>\n"
        "    %right = moe.columns %norm from 240 : tensor<?x400xf32> -> tensor<?x160xf32>\n"
        "    %turned = moe.rope %right at %at {head_dim = 80 : i64, rotary = #moe.rotary<dims = 64, theta = 1.0e4, layout = half>}"
        " : tensor<?x160xf32>\n"
        "    moe.append %left, %turned to @cache0 at %at : tensor<?x240xf32>, tensor<?x160xf32>\n"
        "    moe.yield %sum, %norm, %left : tensor<?x400xf32>, tensor<?x400xf32>, tensor<?x240xf32>\n  }\n"
        "  plan.return %s, %n, %c, %s : tensor<?x400xf32>, tensor<?x400xf32>, tensor<?x240xf32>, tensor<?x400xf32>\n}\n",
        1e-5, few);
}

TEST(Mutants, Routes) {
  const Steps few = {{{0, 9}}};
  check(route(200, 6, "score = sqrt_softplus, renormalize = true", false), 1e-5, few, {0.1, 200});
  check(route(200, 6, "score = sparse_mixer, jitter_epsilon = 0.25", false), 1e-5, few, {20});
  check(
      route(160, 6, "score = sigmoid, groups = 8, kept_groups = 3, group_score = top2_sum, renormalize = true, scale = 2.5", true),
      1e-5, few, {3});
  KernelRun dispatch("plan.kernel @k items 1 per constant rows tokens parts [array<i64>] {\n^bb0(%ids: tensor<?x3xi32>):\n"
                     "  %offsets, %order = moe.dispatch %ids : tensor<?x3xi32> -> tensor<201xi32>\n"
                     "  plan.return %offsets, %order : tensor<201xi32>, tensor<?x3xi32>\n}\n");
  Tensor ids({150, k});
  for (size_t a = 0; a < ids.elements.size(); ++a)
    ids.elements[a] = double(a * a % 200);
  dispatch.setStep({{0, 150}});
  dispatch.give(0, ids);
  dispatch.makeUp(0);
  dispatch.expectAsEvaluated(0);
}

/// Comes last, and judges what the others have left.
TEST(AllMutants, AreCaught) {
  const testing::UnitTest &run = *testing::UnitTest::GetInstance();
  ASSERT_STREQ(run.GetTestSuite(run.total_test_suite_count() - 1)->name(), "AllMutants") << "suites come as their files are linked";
  struct Row {
    size_t made = 0, outcomes[4] = {};
  };
  std::map<std::string, Row> kinds, tests;
  Row all;
  for (const Verdict &verdict : verdicts())
    for (Row *row : {&kinds[std::string(verdict.mutation.kind)], &tests[verdict.test], &all}) {
      ++row->made;
      ++row->outcomes[verdict.outcome];
    }
  std::cout << "| mistake | mutants | reported | wrong numbers | survived | not reached |\n|---|---|---|---|---|---|\n";
  auto print = [](std::string_view name, const Row &row) {
    std::cout << "| " << name << " | " << row.made << " | " << row.outcomes[Verdict::reported] << " | "
              << row.outcomes[Verdict::wrongNumbers] << " | " << row.outcomes[Verdict::survived] << " | "
              << row.outcomes[Verdict::notReached] << " |\n";
  };
  for (const auto &rows : {kinds, tests})
    for (const auto &[name, row] : rows)
      print(name, row);
  print("all", all);
  for (const Verdict &verdict : verdicts())
    if (verdict.outcome >= Verdict::survived)
      std::cout << (verdict.outcome == Verdict::survived ? "survived: " : "not reached: ") << verdict.test << ", " << verdict.target
                << ", line " << verdict.mutation.line + 1 << ": " << verdict.mutation.kind << ": '" << verdict.mutation.original
                << "' -> '" << verdict.mutation.changed << "'\n";
  EXPECT_GE(all.made, 200u);
  // Nearly all that survive compute the same: work that a guard would have skipped and whose results are masked or not stored; the
  // other of two ways to a product, which gives the same bits; what a softmax is relative to, or starts from where it fades to
  // nothing; barriers between steps of a row that happen to concern one thread, or behind the last of several products; prefetches
  // beyond the last row. Weights of a softmax that are cut to bf16 instead of rounded stay within its tolerance.
  //
  // Of the choice of positions: the three bf16 of a query, which have all of its bits however they are rounded; how many keys a
  // warp takes, if it is enough; steps of a loop's count that end it after as many turns; a block's second turn at a token's
  // positions, which takes more of these than any test has. Of the choice of tokens: one more or less in the lower half of a
  // weight, or in where a search begins. And fences between additions to counts and what sets these back to zero: the emulator
  // orders each count by itself.
  size_t missed = all.outcomes[Verdict::survived] + all.outcomes[Verdict::notReached];
  std::cout << 100 - 100.0 * double(missed) / double(all.made) << " % caught\n";
  EXPECT_LE(missed * 100, all.made * 5) << "expected at least 95 % of the mutants to be caught";
}

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int k = 1; k < argc; ++k)
    if (std::string_view argument = argv[k]; argument.starts_with("--share="))
      mutantChoice.share = std::max(1ull, std::stoull(argv[k] + strlen("--share=")));
    else if (argument.starts_with("--seed="))
      mutantChoice.seed = std::stoull(argv[k] + strlen("--seed="));
  return RUN_ALL_TESTS();
}
