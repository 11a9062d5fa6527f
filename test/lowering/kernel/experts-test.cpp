// dispatch, expert_hidden and combine against the reference evaluator, over kinds of routing.
#include "KernelRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace moec;
using namespace moec::test;

namespace {

/// Assignments of tokens to experts, and what moe.dispatch makes of them.
struct Routing {
  Tensor ids, offsets, order;
};

/// `choose(token, slot)` is the expert.
template <typename Choose> Routing route(int64_t tokens, int64_t k, int64_t experts, Choose choose) {
  Routing routing{Tensor({tokens, k}), Tensor({experts + 1}), Tensor({tokens, k})};
  for (int64_t a = 0; a < tokens * k; ++a)
    routing.ids.elements[a] = double(choose(a / k, a % k));
  int64_t place = 0;
  for (int64_t e = 0; e < experts; ++e) {
    for (int64_t a = 0; a < tokens * k; ++a)
      if (int64_t(routing.ids.elements[a]) == e)
        routing.order.elements[place++] = double(a);
    routing.offsets.elements[e + 1] = double(place);
  }
  return routing;
}

constexpr int64_t experts = 6, k = 3;

std::vector<Routing> routings() {
  std::vector<Routing> all;
  all.push_back(route(29, k, experts, [&](int64_t token, int64_t slot) { return (token * 5 + slot * 2 + token / 7) % experts; }));
  all.push_back(route(9, k, experts, [](int64_t, int64_t slot) { return 2 + slot; })); // experts without a token
  all.push_back(route(1, k, experts, [](int64_t, int64_t slot) { return experts - 1 - slot; }));
  all.push_back(route(11, k, experts, [](int64_t, int64_t) { return 4; })); // one expert, many times a token
  all.push_back(route(110, k, experts, [](int64_t token, int64_t slot) { return (token % 3 + slot * 2) % experts; }));
  all.push_back(route(0, k, experts, [](int64_t, int64_t) { return 0; }));
  return all;
}

struct Mixture {
  int64_t experts, k;
};
constexpr Mixture usual{experts, k};

std::string hidden(int64_t in, int64_t intermediate, int64_t shared, const char *compute, bool bias, bool weighted = false,
                   Mixture mixture = usual) {
  auto [experts, k] = mixture;
  int64_t width = k * intermediate + shared;
  std::string text = llvm::formatv("plan.kernel @k items {0} per constant rows tokens parts [array<i64>, array<i64>, array<i64>, "
                                   "array<i64: 1>, array<i64: 1>",
                                   (intermediate + 15) / 16);
  text += bias ? ", array<i64: 1>, array<i64: 1>" : "";
  text += shared ? llvm::formatv(", array<i64: {0}>, array<i64: {0}>", shared).str() : "";
  text += weighted ? ", array<i64>" : "";
  std::string weight = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", experts, intermediate, in);
  std::string weights = llvm::formatv("tensor<?x{0}xf32>", k);
  std::string biasType = llvm::formatv("tensor<{0}x{1}xf32>", experts, intermediate),
              sharedType = llvm::formatv("tensor<{0}x{1}xbf16>", shared, in);
  std::string offsets = llvm::formatv("tensor<{0}xi32>", experts + 1), order = llvm::formatv("tensor<?x{0}xi32>", k);
  text +=
      llvm::formatv("] {{\n^bb0(%x: tensor<?x{0}xf32>, %offsets: {1}, %order: {2}, %g: {3}, %u: {3}", in, offsets, order, weight);
  text += bias ? llvm::formatv(", %gb: {0}, %ub: {0}", biasType).str() : "";
  text += shared ? llvm::formatv(", %sg: {0}, %su: {0}", sharedType).str() : "";
  text += weighted ? ", %w: " + weights : "";
  text += "):\n  %h = moe.expert_hidden %x by %offsets, %order";
  text += weighted ? " weighted %w (" + weights + ")" : "";
  text += " with %g, %u";
  text += bias ? llvm::formatv(" biases %gb, %ub ({0}, {0})", biasType).str() : "";
  text += shared ? llvm::formatv(" shared %sg, %su ({0}, {0})", sharedType).str() : "";
  text += llvm::formatv(
      " {{activation = #moe.activation<kind = silu>, compute = #moe<compute {0}>}\n    : tensor<?x{1}xf32>, {2}, {3}, {4}, {4}"
      " -> tensor<?x{5}xf32>\n  plan.return %h : tensor<?x{5}xf32>\n}\n",
      compute, in, offsets, order, weight, width);
  return text;
}

std::string combine(int64_t intermediate, int64_t out, int64_t shared, const char *compute, bool bias, bool residual,
                    bool weighted = true, Mixture mixture = usual) {
  auto [experts, k] = mixture;
  int64_t width = k * intermediate + shared;
  std::string weight = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", experts, out, intermediate);
  std::string biasType = llvm::formatv("tensor<{0}x{1}xf32>", experts, out),
              sharedType = llvm::formatv("tensor<{0}x{1}xbf16>", out, shared);
  std::string offsets = llvm::formatv("tensor<{0}xi32>", experts + 1), order = llvm::formatv("tensor<?x{0}xi32>", k);
  std::string rows = llvm::formatv("tensor<?x{0}xf32>", out);
  std::string text =
      llvm::formatv("plan.kernel @k items {0} per constant rows tokens parts [array<i64>, {1}array<i64>, array<i64>, array<i64: 1>",
                    (out + 15) / 16, weighted ? "array<i64>, " : "");
  text += bias ? ", array<i64: 1>" : "";
  text += shared ? llvm::formatv(", array<i64: {0}>", out).str() : "";
  text += residual ? ", array<i64>" : "";
  std::string weights = llvm::formatv("tensor<?x{0}xf32>", k);
  text += llvm::formatv("] {{\n^bb0(%h: tensor<?x{0}xf32>, {1}%offsets: {2}, %order: {3}, %d: {4}", width,
                        weighted ? "%weights: " + weights + ", " : "", offsets, order, weight);
  text += bias ? llvm::formatv(", %db: {0}", biasType).str() : "";
  text += shared ? llvm::formatv(", %sd: {0}", sharedType).str() : "";
  text += residual ? llvm::formatv(", %r: {0}", rows).str() : "";
  text += "):\n  %y = moe.combine %h by %offsets, %order";
  text += weighted ? " weighted %weights (" + weights + ")" : "";
  text += " with %d";
  text += bias ? llvm::formatv(" bias %db ({0})", biasType).str() : "";
  text += shared ? llvm::formatv(" shared %sd ({0})", sharedType).str() : "";
  text += residual ? llvm::formatv(" residual %r ({0})", rows).str() : "";
  text += llvm::formatv(" {{compute = #moe<compute {0}>}\n    : tensor<?x{1}xf32>, {2}, {3}, {4} -> {5}\n"
                        "  plan.return %y : {5}\n}\n",
                        compute, width, offsets, order, weight, rows);
  return text;
}

/// Weights in codes: experts' of four bits with a scale for 32 columns, shared ones in FP8 by blocks of 128 x 128.
struct Codes {
  std::string values, scales, result, format;
  Codes(int64_t rows, int64_t columns, bool shared) {
    auto type = [](std::string shape, const char *element) { return "tensor<" + shape + element + ">"; };
    std::string shape = llvm::formatv("{0}x{1}x", rows, columns);
    if (shared) {
      values = type(shape, "f8E4M3FN"), result = type(shape, "f32"), format = "<rows = 128, columns = 128>";
      scales = type(llvm::formatv("{0}x{1}x", (rows + 127) / 128, (columns + 127) / 128), "f32");
    } else {
      shape = llvm::formatv("{0}x{1}", experts, shape);
      values = type(shape, "f4E2M1FN"), result = type(shape, "f32"), format = "<rows = 1, columns = 32>";
      scales = type(llvm::formatv("{0}x{1}x{2}x", experts, rows, (columns + 31) / 32), "f8E8M0FNU");
    }
  }
  std::string arguments(llvm::StringRef name) const { return llvm::formatv(", %{0}v: {1}, %{0}s: {2}", name, values, scales); }
  std::string op(llvm::StringRef name) const {
    return llvm::formatv("  %{0} = moe.dequantize %{0}v by %{0}s as {1} : {2}, {3}\n", name, format, values, scales);
  }
};

std::string hiddenOfCodes(int64_t in, int64_t intermediate, int64_t shared) {
  Codes own(intermediate, in, false), common(shared, in, true);
  std::string offsets = llvm::formatv("tensor<{0}xi32>", experts + 1), order = llvm::formatv("tensor<?x{0}xi32>", k);
  return llvm::formatv(
             "plan.kernel @k items {0} per constant rows tokens parts [array<i64>, array<i64>, array<i64>, array<i64: 1>, "
             "array<i64: 1>, array<i64: 1>, array<i64: 1>, array<i64: {1}>, array<i64: 1>, array<i64: {1}>, array<i64: 1>] {{\n"
             "^bb0(%x: tensor<?x{2}xf32>, %offsets: {3}, %order: {4}{5}{6}{7}{8}):\n{9}{10}{11}{12}",
             (intermediate + 15) / 16, shared, in, offsets, order, own.arguments("g"), own.arguments("u"), common.arguments("sg"),
             common.arguments("su"), own.op("g"), own.op("u"), common.op("sg"), common.op("su"))
             .str() +
         llvm::formatv(
             "  %h = moe.expert_hidden %x by %offsets, %order with %g, %u shared %sg, %su ({0}, {0}) {{activation = "
             "#moe.activation<kind = silu>, compute = #moe<compute bf16>}\n    : tensor<?x{1}xf32>, {2}, {3}, {4}, {4} -> "
             "tensor<?x{5}xf32>\n  plan.return %h : tensor<?x{5}xf32>\n}\n",
             common.result, in, offsets, order, own.result, k * intermediate + shared)
             .str();
}

std::string combineOfCodes(int64_t intermediate, int64_t out, int64_t shared) {
  Codes own(out, intermediate, false), common(out, shared, true);
  std::string offsets = llvm::formatv("tensor<{0}xi32>", experts + 1), order = llvm::formatv("tensor<?x{0}xi32>", k);
  std::string weights = llvm::formatv("tensor<?x{0}xf32>", k);
  return llvm::formatv("plan.kernel @k items {0} per constant rows tokens parts [array<i64>, array<i64>, array<i64>, array<i64>, "
                       "array<i64: 1>, array<i64: 1>, array<i64: {1}>, array<i64: 1>] {{\n"
                       "^bb0(%h: tensor<?x{2}xf32>, %weights: {3}, %offsets: {4}, %order: {5}{6}{7}):\n{8}{9}",
                       (out + 15) / 16, out, k * intermediate + shared, weights, offsets, order, own.arguments("d"),
                       common.arguments("sd"), own.op("d"), common.op("sd"))
             .str() +
         llvm::formatv("  %y = moe.combine %h by %offsets, %order weighted %weights ({0}) with %d shared %sd ({1}) {{compute = "
                       "#moe<compute bf16>}\n    : tensor<?x{2}xf32>, {3}, {4}, {5} -> tensor<?x{6}xf32>\n"
                       "  plan.return %y : tensor<?x{6}xf32>\n}\n",
                       weights, common.result, k * intermediate + shared, offsets, order, own.result, out)
             .str();
}

/// Runs `text` on every routing; `offsets` is the number of the argument with the offsets, the next is the order.
void check(const std::string &text, unsigned offsets, double tolerance, Tiles tiles = Tiles::early) {
  KernelRun run(text, tiles);
  for (const Routing &routing : routings()) {
    SCOPED_TRACE(text + " with " + std::to_string(routing.ids.shape[0]) + " tokens");
    run.setStep({{0, routing.ids.shape[0]}});
    run.give(offsets, routing.offsets);
    run.give(offsets + 1, routing.order);
    run.makeUp(3);
    run.expectAsEvaluated(tolerance);
  }
}

std::string dispatch(int64_t k, int64_t experts) {
  return llvm::formatv("plan.kernel @k items 1 per constant rows tokens parts [array<i64>] {{\n^bb0(%ids: tensor<?x{0}xi32>):\n"
                       "  %offsets, %order = moe.dispatch %ids : tensor<?x{0}xi32> -> tensor<{1}xi32>\n"
                       "  plan.return %offsets, %order : tensor<{1}xi32>, tensor<?x{0}xi32>\n}\n",
                       k, experts + 1);
}

} // namespace

TEST(Dispatch, OrderOfExperts) {
  KernelRun run(dispatch(k, experts));
  for (const Routing &routing : routings()) {
    run.setStep({{0, routing.ids.shape[0]}});
    run.give(0, routing.ids);
    run.makeUp(0);
    run.expectAsEvaluated(0);
  }
}

TEST(Dispatch, MoreExpertsAndTokensThanThreads) {
  constexpr int64_t k = 4, experts = 150;
  KernelRun run(dispatch(k, experts));
  for (int64_t tokens : {31, 97, 300}) {
    Routing routing = route(tokens, k, experts, [](int64_t token, int64_t slot) { return (token * token + slot * 37) % experts; });
    run.setStep({{0, tokens}});
    run.give(0, routing.ids);
    run.makeUp(0);
    run.expectAsEvaluated(0);
  }
}

TEST(ExpertHidden, EveryRouting) {
  check(hidden(32, 32, 0, "f32", false), 1, 1e-5);
  check(hidden(64, 32, 0, "bf16", false), 1, 1e-5);
}
TEST(ExpertHidden, WeightedInputs) {
  check(hidden(32, 32, 0, "f32", true, true), 1, 1e-5);
  check(hidden(64, 32, 16, "bf16", false, true), 1, 1e-2);
}
TEST(ExpertHidden, OddShapesAndBiases) {
  check(hidden(23, 19, 0, "f32", true), 1, 1e-5);
  check(hidden(136, 70, 0, "bf16", true), 1, 1e-5);
}
TEST(ExpertHidden, SharedExperts) {
  check(hidden(32, 32, 64, "bf16", false), 1, 1e-5);
  check(hidden(33, 20, 7, "f32", false), 1, 1e-5);
}

TEST(Combine, EveryRouting) {
  check(combine(32, 32, 0, "f32", false, false), 2, 1e-5);
  check(combine(64, 32, 0, "bf16", false, true), 2, 1e-5);
}
TEST(Combine, WithoutWeights) { check(combine(32, 32, 16, "f32", false, true, false), 1, 1e-5); }
TEST(Combine, OddShapesAndBiases) {
  check(combine(19, 23, 0, "f32", true, true), 2, 1e-5);
  check(combine(72, 130, 40, "bf16", true, true), 2, 1e-5);
}
TEST(Combine, SharedExperts) {
  check(combine(32, 32, 64, "bf16", false, true), 2, 1e-5);
  check(combine(20, 33, 7, "f32", false, false), 2, 1e-5);
}

/// Of one expert and of the shared ones.
TEST(ExpertHidden, ManyRowsInNarrowBlocks) { check(hidden(264, 20, 20, "bf16", true), 1, 1e-5, Tiles::asTheyPay); }
TEST(Combine, ManyRowsInNarrowBlocks) { check(combine(264, 20, 264, "bf16", true, true), 2, 1e-5, Tiles::asTheyPay); }

/// What a step of `tokens` does whose tokens choose eight of 64 experts, and how many experts that are.
struct Step {
  runtime::emulator::Counters counters;
  int64_t chosen;
};
constexpr Mixture many{64, 8};

Step countStep(const std::string &text, unsigned offsets, int64_t tokens) {
  // Distinct ones, as odd steps through 64 give them, as uneven as chance.
  Routing routing = route(tokens, many.k, many.experts, [](int64_t token, int64_t slot) {
    uint64_t mixed = (uint64_t(token) + 1) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 31)) * 0xbf58476d1ce4e5b9u;
    return int64_t((mixed >> 40) + uint64_t(slot) * (mixed >> 50 | 1)) & (many.experts - 1);
  });
  KernelRun run(text, Tiles::asTheyPay);
  run.setStep({{0, tokens}});
  run.give(offsets, routing.offsets);
  run.give(offsets + 1, routing.order);
  run.makeUp(5);
  Step step{run.count("sm_80"), 0};
  for (int64_t e = 0; e < many.experts; ++e)
    step.chosen += routing.offsets.elements[e + 1] > routing.offsets.elements[e];
  return step;
}

/// Weights of the chosen experts are read once, with whole sectors and without conflicts over banks in the loop over them; of rows
/// that matrix units compute with, which are 8 at least, half and more are useful where experts have tokens enough.
void expectLittleTraffic(const std::string &text, unsigned offsets, double bytesOfExpert, double bytesOfToken,
                         double productsOfRow) {
  for (int64_t tokens : {1, 8, 64}) {
    SCOPED_TRACE(tokens);
    auto [counters, chosen] = countStep(text, offsets, tokens);
    EXPECT_GE(chosen, tokens == 64 ? 60 : tokens == 8 ? 25 : many.k);
    double compulsory = double(chosen) * bytesOfExpert + double(tokens) * bytesOfToken;
    EXPECT_LE(double(counters.uniqueSectorsLoaded * 32), 1.05 * compulsory);
    // A lane's activations are two loads of half a sector each, one behind the other, which shows when there are many of them.
    EXPECT_LE(double(counters.globalSectorsLoaded * 32), (tokens < 64 ? 1.05 : 1.15) * double(counters.globalBytesLoaded));
    double products = 0;
    for (uint64_t count : counters.matrixOperations)
      products += double(count);
    double rows = products / productsOfRow * 8, useful = double(tokens * many.k);
    EXPECT_LE(rows, std::max(2 * useful, 8. * double(chosen)));
  }
}

TEST(ExpertHidden, TrafficOnMatrixUnits) {
  constexpr double in = 512, intermediate = 64;
  expectLittleTraffic(hidden(int64_t(in), int64_t(intermediate), 0, "bf16", false, false, many), 1, 2 * in * intermediate * 2,
                      in * 4, in / 16 * 2 * intermediate / 16);
}
TEST(Combine, TrafficOnMatrixUnits) {
  constexpr double intermediate = 256, out = 128; // a token's products are written, and read again
  expectLittleTraffic(combine(int64_t(intermediate), int64_t(out), 0, "bf16", false, true, true, many), 2, intermediate * out * 2,
                      many.k * (intermediate + out) * 4 + out * 4, intermediate / 16 * out / 16);
}

/// A row does not change with the tokens around it.
TEST(Combine, RowsAlone) {
  KernelRun run(combine(32, 40, 32, "bf16", false, true));
  std::vector<Bits> together, alone;
  Routing both = route(2, k, experts, [](int64_t token, int64_t slot) { return (token + slot) % experts; });
  run.setStep({{0, 2}});
  run.give(2, both.offsets);
  run.give(3, both.order);
  run.makeUp(5);
  const unsigned rows[] = {0, 1, 6}, weights[] = {4, 5};
  std::map<unsigned, Tensor> inputs;
  for (unsigned i : rows)
    inputs[i] = run.input(i);
  for (unsigned i : weights)
    run.give(i, run.input(i));
  for (auto &results : run.runAll())
    together.push_back(results[0]);
  Routing single = route(1, k, experts, [](int64_t, int64_t slot) { return (1 + slot) % experts; });
  run.setStep({{0, 1}});
  run.give(2, single.offsets);
  run.give(3, single.order);
  for (unsigned i : rows) {
    int64_t width = inputs[i].width();
    run.give(i, Tensor({1, width}, {inputs[i].elements.begin() + width, inputs[i].elements.end()}));
  }
  run.makeUp(5);
  for (auto &results : run.runAll())
    alone.push_back(results[0]);
  for (size_t level = 0; level < alone.size(); ++level)
    EXPECT_EQ(alone[level], Bits(together[level].begin() + 40, together[level].end()));
}

/// Experts and shared experts in different formats.
TEST(ExpertHidden, Codes) { check(hiddenOfCodes(160, 24, 40), 1, 1e-5); }
TEST(Combine, Codes) { check(combineOfCodes(64, 40, 32), 2, 1e-5); }
