// Which #moe.rotary gives the cosines and sines that a graph computes of positions.
#include "passes/raise/RotaryMatch.h"
#include "dialects/moe/Rotary.h"
#include "passes/raise/Excerpt.h"

#include <charconv>
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

namespace {

/// Cosines and sines of the tokens of a step.
struct Turns {
  Tensor cos, sin;
  std::vector<double> positions; ///< of each row
};

class Factors {
public:
  Factors(Value cos, Value sin, const StepArguments &arguments)
      : arguments(arguments), cos(arguments.excerptOf(cos)), sin(arguments.excerptOf(sin)) {}

  bool dependOnPositionsAlone() const { return cos && sin; }
  std::optional<Turns> at(StepShape shape) {
    std::optional<Tensor> cosines = arguments.evaluate(*cos, shape),
                          sines = cosines ? arguments.evaluate(*sin, shape) : std::nullopt;
    if (!sines || cosines->shape != sines->shape || cosines->rows() != shape.sequences * shape.length)
      return std::nullopt;
    Turns turns{std::move(*cosines), std::move(*sines), {}};
    for (int64_t row = 0; row < turns.cos.rows(); ++row)
      turns.positions.push_back(double(shape.past + row % shape.length));
    return turns;
  }

private:
  const StepArguments &arguments;
  std::optional<Excerpt> cos, sin;
};

/// Numbers of few digits within a relative `tolerance` of `value`, those of the fewest digits first.
SmallVector<double> roundedOf(double value, double tolerance) {
  SmallVector<double> all;
  for (int digits = 1; digits < 10; ++digits) {
    double rounded = value;
    char text[64];
    const char *end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, digits - 1).ptr;
    std::from_chars(text, end, rounded);
    if (std::abs(rounded - value) <= tolerance * std::abs(value) && !llvm::is_contained(all, rounded))
      all.push_back(rounded);
  }
  return all;
}

/// Whether all pairs turn as `rotary` says.
bool agrees(moe::RotaryAttr rotary, const Turns &turns) {
  std::vector<double> frequencies = moe::rotaryFrequencies(rotary);
  double multiplier = rotary.getMultiplier(), direction = rotary.getInverse() ? -1 : 1;
  for (auto [row, position] : llvm::enumerate(turns.positions)) {
    // Graphs round angles to f32.
    double tolerance = multiplier * (1e-5 + 3e-7 * position);
    for (auto [pair, frequency] : llvm::enumerate(frequencies)) {
      double angle = direction * position * frequency;
      if (!(std::abs(turns.cos.row(int64_t(row))[pair] - multiplier * std::cos(angle)) <= tolerance &&
            std::abs(turns.sin.row(int64_t(row))[pair] - multiplier * std::sin(angle)) <= tolerance))
        return false;
    }
  }
  return true;
}

/// What frequencies may be, of which the slowest of those that are not stretched says theta best.
SmallVector<moe::RotaryAttr> hypotheses(ArrayRef<double> frequencies, double multiplier, moe::RotaryAttr rotary) {
  constexpr double precision = 1e-6;
  SmallVector<moe::RotaryAttr> all;
  auto add = [&](double theta, moe::YarnAttr yarn) {
    bool isInverse = frequencies.front() < 0;
    all.push_back(moe::RotaryAttr::get(rotary.getContext(), rotary.getDims(), moe::F64(theta), rotary.getLayout(),
                                       rotary.getOffset(), moe::F64(multiplier), isInverse, yarn));
  };
  double dims = double(rotary.getDims());
  SmallVector<double> thetas;
  auto addThetas = [&](double frequency, double pairs) {
    double exponent = dims / (2 * pairs);
    for (double theta : roundedOf(std::pow(std::abs(frequency), -exponent), precision * exponent))
      if (theta > 1 && !llvm::is_contained(thetas, theta))
        thetas.push_back(theta);
  };
  for (size_t pair = frequencies.size() - 1; pair > 0; --pair)
    addThetas(frequencies[pair], double(pair));
  // Where all are stretched alike, two tell.
  if (frequencies.size() > 2)
    addThetas(frequencies.back() / frequencies[1], double(frequencies.size() - 2));
  if (frequencies.size() == 1)
    thetas.push_back(1e4); // which then says nothing
  for (double theta : thetas)
    add(theta, {});
  // The slowest pair is stretched by the factor, the ramp is where released models have it.
  for (double theta : thetas)
    for (double factor :
         roundedOf(std::pow(theta, -2 * double(frequencies.size() - 1) / dims) / std::abs(frequencies.back()), 1e-5))
      if (factor > 1)
        for (bool truncate : {true, false})
          for (int64_t original = 16; original <= 1 << 20; original *= 2)
            for (auto [fast, slow] : {std::pair(32.0, 1.0), {1.0, 1.0}, {4.0, 1.0}})
              add(theta,
                  moe::YarnAttr::get(rotary.getContext(), moe::F64(factor), original, moe::F64(fast), moe::F64(slow), truncate));
  return all;
}

} // namespace

RotaryMatch passes::matchRotary(Value cos, Value sin, moe::RotaryAttr rotary, const StepArguments &arguments) {
  RotaryMatch match;
  Factors factors(cos, sin, arguments);
  if (!factors.dependOnPositionsAlone()) {
    match.problem = "the angles of a rotary embedding depend on more than positions";
    return match;
  }
  std::optional<Turns> first = factors.at({1, 3, 0});
  size_t pairs = size_t(rotary.getDims() / 2);
  if (!first || size_t(first->cos.width()) != pairs) {
    match.problem = "the angles of a rotary embedding cannot be evaluated";
    return match;
  }
  // At position 0 there is the multiplier, at position 1 there are the frequencies.
  SmallVector<double> frequencies;
  for (size_t pair = 0; pair < pairs; ++pair)
    frequencies.push_back(std::atan2(first->sin.row(1)[pair], first->cos.row(1)[pair]));
  SmallVector<double> multipliers = roundedOf(first->cos.row(0)[0], 1e-7);
  SmallVector<Turns> turns{*first};
  static constexpr StepShape after[] = {{2, 2, 11}, {1, 3, 37}, {2, 2, 100}, {1, 3, 1000}, {1, 2, 10000}, {1, 2, 100000}},
                             alone[] = {{2, 20, 0}, {1, 60, 0}, {1, 300, 0}, {1, 3000, 0}};
  for (StepShape shape : arguments.pasts().empty() ? ArrayRef(alone) : ArrayRef(after))
    if (std::optional<Turns> more = factors.at(shape)) // beyond the end of a table there are none
      turns.push_back(std::move(*more));
  if (turns.size() > 1 && !multipliers.empty())
    for (moe::RotaryAttr hypothesis : hypotheses(frequencies, multipliers.front(), rotary))
      if (llvm::all_of(turns, [&](const Turns &each) { return agrees(hypothesis, each); })) {
        match.rotary = hypothesis;
        return match;
      }
  match.problem = "the angles of a rotary embedding follow from positions in a way that no attribute says";
  return match;
}
