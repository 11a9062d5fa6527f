// The checks of kernels catch mistakes: kernels of every family, of shapes that leave little of their code idle, are checked as the
// tests of the kernels do, and so are mutants of them, nearly all of which have to fail.
// usage: lowering-nvptx-mutation-tests [--share=N] [--seed=N]     one of every N mistakes that a kernel offers
#include "../kernel/KernelRun.h"
#include "../kernel/PooledBlocks.h"
#include "../kernel/SampledTokens.h"
#include "MutantKernel.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <map>
#include <random>

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
/// Few tokens, and what fills the two sizes of blocks, as nothing shows what happens to rows behind the last; then one more.
const Steps tokens = {{{0, 3}}, {{0, 32}}, {{0, 65}}};

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

/// Lists of numbers up to a token's position, by those that know these as argument `argument`: of most lengths modulo what a tile
/// holds, from `least` on, or as long as lists may be.
void checkListed(const std::string &text, unsigned argument, int64_t least, int64_t listed, double tolerance, const Steps &steps) {
  KernelRun run(text);
  for (const std::vector<Sequence> &step : steps) {
    std::vector<double> lists;
    int64_t tokens = 0;
    for (const Sequence &sequence : step)
      for (int64_t i = 0; i < sequence.length; ++i, ++tokens) {
        int64_t position = sequence.past + i, wanted = tokens % 2 + tokens / 2 % 8 * 8 + tokens % 3 * 64,
                count = std::min({step.size() == 1 ? listed : least + wanted, listed, position + 1}),
                stride = std::clamp<int64_t>((position + 1) / std::max<int64_t>(count, 1), 1, 3);
        for (int64_t index = 0; index < listed; ++index)
          lists.push_back(index < count ? double(position - (count - 1 - index) * stride) : -1);
      }
    run.setStep(step);
    run.give(argument, Tensor({tokens, listed}, std::move(lists)));
    run.makeUp(step.size());
    run.expectAsEvaluated(tolerance);
  }
  for (double stretch : {0.1, 3000.0}) {
    run.scale(0, stretch);
    run.expectAsEvaluated(tolerance);
  }
}

/// One sequence, then many positions modulo what a tile holds, then a long sequence.
Steps scattered(int64_t past) {
  std::vector<Sequence> sequences{{0, 3}};
  for (int64_t i = 0; i < 8; ++i)
    sequences.push_back({past + i * 8, 2});
  return {{{past, 2}}, sequences, {{1200, 1}}};
}

std::string selection(const char *type, int64_t heads, int64_t width, int64_t k, int64_t longest, int64_t block = 0) {
  std::string attributes = block ? llvm::formatv(" {{block = {0} : i64}", block).str() : "";
  return llvm::formatv(
      "plan.model \"m\" {{vocabulary = 8 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = {4} : i64, max_batch = 4 : "
      "i64, page_size = 64 : i64, eos = array<i64>, compute = \"f32\"}\n"
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64>] {{\n"
      "^bb0(%q: tensor<?x{0}xf32>, %w: tensor<?x{1}xf32>, %batch: !moe.batch):\n"
      "  moe.cache @cache0 : tensor<?x{5}x{2}>{6}\n"
      "  %p = moe.select_positions %q, %w over @cache0 at %batch : tensor<?x{0}xf32>, tensor<?x{1}xf32> -> tensor<?x{3}xi32>\n"
      "  plan.return %p : tensor<?x{3}xi32>\n}\n",
      heads * width, heads, type, k, longest, width, attributes);
}

/// Chooses among few positions and among more than a block scores at once or a warp looks at at once; by scores that are all
/// different, and by scores that are equal, or differ in some of their first, middle or last bits only.
void checkSelection(const std::string &text, int64_t heads, int64_t width, const Steps &steps) {
  KernelRun run(text);
  std::mt19937_64 random(1);
  for (const std::vector<Sequence> &step : steps) {
    run.setStep(step);
    run.makeUp(random());
    run.expectAsEvaluated(0);
    // Two columns of the same odd number, and two of what is small beside it: all sums are exact. Scores are of every magnitude,
    // and of half of the tokens negative.
    Tensor query = run.input(0), weights = run.input(1);
    std::ranges::fill(query.elements, 0);
    for (int64_t token = 0; token < query.shape[0]; ++token) {
      const double first = std::exp2(-22) * double((1 << 21) + random() % (1 << 19)), columns[] = {first, first, 0x1p-12, 0x1p-22};
      bool isNegative = token / 4 % 2;
      for (int64_t head = 0; head < 1 + isNegative; ++head)
        for (int64_t column = 0; column < 4; ++column)
          query.elements[size_t((token * heads + head) * width + column)] = columns[column] * (head ? -1 : 1);
      for (int64_t head = 0; head < heads; ++head)
        weights.elements[size_t(token * heads + head)] =
            std::exp2(double(80 - token % 4 * 60 + int64_t(random() % 8))) * (isNegative ? -1 : 1);
    }
    run.give(0, query);
    run.give(1, weights);
    run.makeUp(random());
    run.changeCaches([](double value) { return std::round(std::clamp(value, -1.0, 1.0) * 2) / 2; });
    run.expectAsEvaluated(0);
    run.give(0, std::nullopt);
    run.give(1, std::nullopt);
  }
}

/// Attention to lists of positions, of a cache of latents; and to a window and lists of entries.
std::string listedLatent(const char *op, const char *extent, int64_t heads, int64_t listed, const char *type) {
  return llvm::formatv(
      "plan.kernel @k items {5} per {3} rows tokens parts [array<i64>, array<i64>, array<i64: 1>, array<i64: 1>, array<i64>] {{\n"
      "^bb0(%q: tensor<?x{4}xf32>, %batch: !moe.batch, %uk: tensor<{5}x64x128xbf16>, %uv: tensor<{5}x64x128xbf16>, %p: "
      "tensor<?x{0}xi32>):\n"
      "  moe.cache @cache0 : tensor<?x160x{1}>\n"
      "  %o = moe.{2} %q over @cache0 at %batch among %p (tensor<?x{0}xi32>) with %uk, %uv {{scale = 1.0e-1 : f64, "
      "compute = #moe<compute {1}>}\n"
      "    : tensor<?x{4}xf32>, tensor<{5}x64x128xbf16>, tensor<{5}x64x128xbf16> -> tensor<?x{6}xf32>\n"
      "  plan.return %o : tensor<?x{6}xf32>\n}\n",
      listed, type, op, extent, heads * 96, heads, heads * 64);
}

std::string listedEntries(int64_t heads, int64_t window, int64_t listed, const char *type) {
  return llvm::formatv(
      "plan.kernel @k items 2 per sequences rows tokens parts [array<i64>, array<i64>, array<i64: {3}>, array<i64>] {{\n"
      "^bb0(%q: tensor<?x{2}xf32>, %batch: !moe.batch, %sinks: tensor<{3}xf32>, %p: tensor<?x{0}xi32>):\n"
      "  moe.cache @cache0 : tensor<?x112x{1}>\n  moe.cache @cache1 : tensor<?x112x{1}> {{block = 1 : i64}\n"
      "  %o = moe.attention %q over @cache0, @cache0 and @cache1 at %batch among %p (tensor<?x{0}xi32>) sinks %sinks "
      "(tensor<{3}xf32>) {{head_dim = 112 : i64, scale = 1.0e-1 : f64, window = {4} : i64, compute = #moe<compute {1}>} : "
      "tensor<?x{2}xf32> -> tensor<?x{2}xf32>\n"
      "  plan.return %o : tensor<?x{2}xf32>\n}\n",
      listed, type, heads * 112, heads, window);
}

/// Also with gates so large that it matters what a softmax is relative to.
void checkPooled(const std::string &text) {
  KernelRun run(text);
  run.setStep({{0, 5}, {60, 9}, {130, 2}});
  run.makeUp(1);
  run.expectAsEvaluated(1e-5);
  run.changeCaches([](double value) { return value * 100; });
  run.expectAsEvaluated(1e-5);
  run.changeCaches([](double value) { return -std::abs(value); });
  run.expectAsEvaluated(1e-5);
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
  for (int64_t count : {2, 33, 65}) { // few rows of an expert, a block full of them and one more, tiles and one row more
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

TEST(Mutants, PooledBlocks) {
  checkPooled(pooledBlocks(6, 133, 133, "f32"));
  checkPooled(pooledBlocks(4, 272, 136, "bf16"));
}

/// Of logits some of which are equal, around where the kept ones end and at both ends of what can be drawn.
TEST(Mutants, Sample) {
  using Words = moec::runtime::SamplingWords;
  constexpr int64_t vocabulary = 270;
  constexpr float scale = 1.5f;
  std::vector<Words> settings(12, {Words::largest, 0, 0, 0, 0});
  std::mt19937 random(1);
  for (int32_t kept : {0, 3, 35, 200, int32_t(vocabulary)})
    for (uint32_t share : {0u, 1u, 0x30000000u, 0xe0000000u})
      for (int draw = 0; draw < 5; ++draw)
        settings.push_back({Words::draw, draw == 4 ? 0.01f : scale, kept, share, draw ? uint32_t(random()) : 0xffffffff});
  settings.emplace_back();
  Tensor logits({int64_t(settings.size()), vocabulary});
  std::vector<int64_t> outputs;
  for (int64_t row = 0; row < logits.rows(); ++row) {
    outputs.push_back(row);
    const int ofUnit = row % 2 ? 1 << 12 : 3; // of which few or many are equal
    for (double &logit : logits.row(row))
      logit = std::round((double(random()) / 0x1p32 * 12 - 6) * ofUnit) / ofUnit;
    if (row % 7 == 0)
      for (double &logit : logits.row(row))
        logit -= 7; // none is positive
    logits.row(row)[random() % vocabulary] = NAN;
  }
  KernelRun run(sampledTokens(vocabulary));
  run.setStep({{0, logits.rows()}}, outputs);
  run.give(0, logits);
  run.give(1, tensorOf(settings));
  run.makeUp(0);
  run.expectAsEvaluated(0);
}

/// Kernels that take long to check: fewer of their mistakes are made.
class SparseMutants : public testing::Test {
protected:
  void SetUp() override { mutantChoice.usualShare *= 3; }
  void TearDown() override { mutantChoice.usualShare /= 3; }
};

TEST_F(SparseMutants, SelectPositions) {
  // The last step has more tokens than there is room for the scores of.
  const Steps steps = {
      {{0, 5}, {347, 4}}, {{1391, 8}}, {{1411, 4}, {1000, 4}, {1060, 2}}, {{400, 2}, {0, 255}, {0, 255}, {400, 2}}};
  checkSelection(selection("bf16", 20, 24, 350, 1500), 20, 24, steps);
  checkSelection(selection("f32", 3, 24, 350, 1500), 3, 24, steps);
}

TEST_F(SparseMutants, ListedPositions) {
  checkListed(listedLatent("absorbed_attention", "tokens", 15, 540, "bf16"), 4, 1, 540, 4e-3, scattered(200));
  checkListed(listedLatent("latent_attention", "sequences", 2, 70, "f32"), 4, 1, 70, 1e-5, scattered(80));
}

TEST_F(SparseMutants, ListedEntries) {
  checkListed(listedEntries(3, 40, 70, "f32"), 3, 0, 70, 1e-5, scattered(80));
  checkListed(listedEntries(18, 146, 540, "bf16"), 3, 0, 540, 3e-3, scattered(200));
}

/// Comes last, and judges what the others have left.
TEST(AllMutants, AreCaught) {
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
