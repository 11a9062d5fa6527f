// The checks of sparse kernels catch mistakes: of what chooses positions and tokens, and of attention to what is chosen.
#include "../kernel/KernelRun.h"
#include "../kernel/PooledBlocks.h"
#include "../kernel/SampledTokens.h"
#include "MutantKernel.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace moec::test;

namespace {
using Steps = std::vector<std::vector<Sequence>>;

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
} // namespace

TEST(Mutants, PooledBlocks) {
  checkPooled(pooledBlocks(6, 133, 133, "f32"));
  checkPooled(pooledBlocks(4, 272, 136, "bf16"));
}

/// Of logits some of which are equal, around where the kept ones end and at both ends of what can be drawn; of more ids than are
/// ever listed, some of the choices are left with so many.
TEST(Mutants, Sample) {
  using Words = moec::runtime::SamplingWords;
  constexpr int64_t vocabulary = 4102;
  std::vector<Words> settings(12, {Words::largest, 0, 0, 0, 0});
  std::mt19937 random(1);
  int draw = 0;
  for (uint32_t share : {0u, 1u, 0x30000000u, 0xe0000000u, 0xfffff000u})
    for (int32_t kept : {0, 3, 35, int32_t(vocabulary) - 2, int32_t(vocabulary)})
      for (float scale : {4.0f, 0.6f, 0.01f})
        settings.push_back({Words::draw, scale, kept, share, draw++ % 4 ? uint32_t(random()) : 0xffffffff});
  settings.emplace_back();
  KernelRun run(sampledTokens(vocabulary));
  // A few of different kinds at a time: most mistakes show with the first.
  constexpr size_t atOnce = 8, stride = 17;
  for (size_t first = 0; first < settings.size(); first += atOnce) {
    std::vector<Words> some;
    std::vector<int64_t> outputs;
    Tensor logits({int64_t(std::min(atOnce, settings.size() - first)), vocabulary});
    for (int64_t row = 0; row < logits.rows(); ++row) {
      some.push_back(settings[(first + size_t(row)) * stride % settings.size()]);
      outputs.push_back(row);
      const int ofUnit = row % 2 ? 1 << 12 : 3; // of which few or many are equal
      for (double &logit : logits.row(row))
        logit = std::round((double(random()) / 0x1p32 * 12 - 6) * ofUnit) / ofUnit;
      if (row % 3 == 1)
        for (double &logit : logits.row(row))
          logit -= 7; // none is positive
      logits.row(row)[random() % vocabulary] = NAN;
    }
    run.setStep({{0, logits.rows()}}, outputs);
    run.give(0, logits);
    run.give(1, tensorOf(some));
    run.makeUp(0);
    run.expectAsEvaluated(0);
  }
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
