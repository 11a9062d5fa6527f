// Evaluation of moe.sample: ids in order of likelihood, and what they weigh.
#include "dialects/moe/Sampling.h"

#include "passes/evaluator/Frame.h"
#include "llvm/ADT/STLExtras.h"

#include <bit>
#include <cmath>

using namespace mlir;
using namespace moec::evaluator;
using namespace moec::moe;

/// What a logit weighs beside the largest.
static int64_t weightOf(float logit, float largest, float scale) {
  float power = logit - largest;
  power *= scale;
  if (!(power > float(lowestPower)))
    return 0;
  float whole = std::nearbyint(power), rest = power - whole, result = float(*std::rbegin(powerTerms));
  for (double term : llvm::drop_begin(llvm::reverse(powerTerms)))
    result = std::fma(result, rest, float(term));
  return int64_t(std::floor(std::ldexp(double(result), int(whole) + int(weightBits))));
}

/// `part` / 2^32 of `whole`, rounded down.
static int64_t partOf(int64_t whole, uint32_t part) { return int64_t((__int128(whole) * part) >> 32); }

static int32_t choose(llvm::ArrayRef<double> logits, llvm::ArrayRef<uint32_t> settings) {
  if (settings[SamplingWord::choice] == uint32_t(SamplingChoice::nothing))
    return -1;
  auto order = llvm::to_vector(llvm::seq<int32_t>(0, int32_t(logits.size())));
  auto rank = [&](int32_t id) { return std::pair(std::isnan(logits[id]), std::isnan(logits[id]) ? 0 : -logits[id]); };
  llvm::sort(order, [&](int32_t a, int32_t b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
  double largest = logits[order.front()];
  if (settings[SamplingWord::choice] != uint32_t(SamplingChoice::draw) || !std::isfinite(largest))
    return order.front();

  std::vector<int64_t> weights(logits.size());
  for (auto [weight, logit] : llvm::zip(weights, logits))
    weight = weightOf(float(logit), float(largest), std::bit_cast<float>(settings[SamplingWord::scale]));
  auto weigh = [&] {
    int64_t sum = 0;
    for (int32_t id : order)
      sum += weights[id];
    return sum;
  };
  int32_t most = std::bit_cast<int32_t>(settings[SamplingWord::mostKept]);
  if (most > 0 && size_t(most) < order.size())
    order.resize(most);
  if (settings[SamplingWord::share]) {
    int64_t bound = std::max<int64_t>(1, partOf(weigh(), settings[SamplingWord::share])), sum = 0;
    order.resize(1 + (llvm::find_if(order, [&](int32_t id) { return (sum += weights[id]) >= bound; }) - order.begin()));
  }
  int64_t bound = partOf(weigh(), settings[SamplingWord::random]), sum = 0;
  llvm::sort(order);
  return *llvm::find_if(order, [&](int32_t id) { return (sum += weights[id]) > bound; });
}

static LogicalResult evaluateSample(SampleOp op, Frame &frame) {
  const Tensor &logits = frame[op.getLogits()], &settings = frame[op.getSettings()];
  Tensor result({logits.rows(), 1});
  for (int64_t row = 0; row < logits.rows(); ++row) {
    auto words = llvm::map_to_vector(settings.row(row), [](double word) { return uint32_t(int64_t(word)); });
    result.elements[row] = choose(logits.row(row), words);
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

void moec::evaluator::populateSampling(OpTable &table) { table.add(evaluateSample); }
