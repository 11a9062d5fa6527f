// Which #moe.rotary gives the cosines and sines that a graph computes of positions.
#include "passes/raise/RotaryMatch.h"
#include "dialects/moe/Rotary.h"
#include "passes/raise/Excerpt.h"

#include "llvm/Support/FormatVariadic.h"

#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <numeric>

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
      : arguments(arguments), ofCos(cos), ofSin(sin), cos(arguments.excerptOf(cos)), sin(arguments.excerptOf(sin)) {}

  bool dependOnPositionsAlone() const { return cos && sin; }
  /// How far, relatively, the factors may be off: tables may be in half floats.
  double precision() { return std::max(1e-6, std::ldexp(1, -int(std::min(cos->precision(), sin->precision())))); }
  /// With it, the factors are the same.
  std::string keyAt(ArrayRef<StepShape> shapes) {
    return arguments.keyOf(*cos, shapes) + ';' + arguments.keyOf(*sin, shapes) + ';';
  }
  std::optional<Turns> at(StepShape shape) {
    std::optional<Tensor> cosines = arguments.evaluate(*cos, shape),
                          sines = cosines ? arguments.evaluate(*sin, shape) : std::nullopt;
    if (!sines || cosines->shape != sines->shape || cosines->rows() != shape.sequences * shape.length)
      return std::nullopt;
    Turns turns{std::move(*cosines), std::move(*sines), {}};
    for (int64_t row = 0; row < turns.cos.rows(); ++row)
      turns.positions.push_back(double(shape.past + row % shape.length));
    // Behind the end of a table, its last row comes again and again.
    for (int64_t row = 1; row < turns.cos.rows(); ++row)
      if (turns.positions[size_t(row)] > turns.positions[size_t(row - 1)] &&
          llvm::equal(turns.cos.row(row), turns.cos.row(row - 1)) && llvm::equal(turns.sin.row(row), turns.sin.row(row - 1)))
        return std::nullopt;
    return turns;
  }

  /// What they are at `first` and the positions after it, of a function that counts positions itself; nothing where that is not
  /// seen to be so as far as `last`.
  std::optional<Turns> atPositions(int64_t first, int64_t last);

private:
  /// Finds the integers that the factors are made of alone, which are the positions.
  std::optional<Value> findPositions();

  const StepArguments &arguments;
  Value ofCos, ofSin;
  std::optional<Excerpt> cos, sin;
};

constexpr StepShape fewTokens{1, 3, 0};

bool countsUp(const std::optional<Tensor> &numbers, int64_t count) {
  return numbers && int64_t(numbers->elements.size()) == count &&
         llvm::all_of(llvm::enumerate(numbers->elements), [](auto each) { return each.value() == double(each.index()); });
}

std::optional<Value> Factors::findPositions() {
  std::optional<Between> between = opsBetween(arguments.integers(), ofCos);
  if (!between)
    return std::nullopt;
  for (Operation *op : llvm::reverse(between->ops)) {
    Value value = op->getResult(0);
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.getElementType().isInteger() || type.getElementType().isInteger(1))
      continue;
    std::optional<Excerpt> numbers = arguments.excerptOf(value);
    if (numbers && countsUp(arguments.evaluate(*numbers, fewTokens), fewTokens.length) && Excerpt::make(ofCos, value) &&
        Excerpt::make(ofSin, value))
      return value;
  }
  return std::nullopt;
}

std::optional<Turns> Factors::atPositions(int64_t first, int64_t last) {
  std::optional<Value> positions = findPositions();
  if (!positions)
    return std::nullopt;
  std::optional<Excerpt> numbers = arguments.excerptOf(*positions);
  if (!countsUp(arguments.evaluate(*numbers, {1, last + 1, 0}), last + 1))
    return std::nullopt;
  Tensor given = *arguments.evaluate(*numbers, fewTokens);
  Turns turns;
  for (double &position : given.elements)
    turns.positions.push_back(position += double(first));
  std::optional<Tensor> results[2];
  for (auto [result, value] : llvm::zip_equal(results, std::array{ofCos, ofSin})) {
    Sizes sizes = arguments.sizes(fewTokens);
    result = Excerpt::make(value, *positions, arguments.budget())->evaluate(given, sizes);
    if (!result || result->rows() != fewTokens.length)
      return std::nullopt;
  }
  turns.cos = std::move(*results[0]), turns.sin = std::move(*results[1]);
  return turns;
}

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

/// Whether all pairs turn by so much a position.
bool agrees(ArrayRef<double> frequencies, double multiplier, const Turns &turns, double precision) {
  for (auto [row, position] : llvm::enumerate(turns.positions)) {
    // Graphs round angles to f32.
    double tolerance = multiplier * (std::max(1e-5, precision) + 3e-7 * position);
    for (auto [pair, frequency] : llvm::enumerate(frequencies)) {
      double angle = position * frequency;
      if (!(std::abs(turns.cos.row(int64_t(row))[pair] - multiplier * std::cos(angle)) <= tolerance &&
            std::abs(turns.sin.row(int64_t(row))[pair] - multiplier * std::sin(angle)) <= tolerance))
        return false;
    }
  }
  return true;
}

/// Whether all pairs turn as `rotary` says.
bool agrees(moe::RotaryAttr rotary, const Turns &turns, double precision) {
  std::vector<double> frequencies = moe::rotaryFrequencies(rotary);
  if (rotary.getInverse())
    for (double &frequency : frequencies)
      frequency = -frequency;
  return agrees(frequencies, rotary.getMultiplier(), turns, precision);
}

/// What frequencies may be, of which the slowest of those that are not stretched says theta best. The first that `holds`; null
/// where none does.
moe::RotaryAttr firstOf(ArrayRef<double> frequencies, double multiplier, double precision, moe::RotaryAttr rotary,
                        llvm::function_ref<bool(moe::RotaryAttr)> holds) {
  auto make = [&](double theta, moe::YarnAttr yarn) {
    bool isInverse = frequencies.front() < 0;
    return moe::RotaryAttr::get(rotary.getContext(), rotary.getDims(), moe::F64(theta), rotary.getLayout(), rotary.getOffset(),
                                moe::F64(multiplier), isInverse, yarn);
  };
  double dims = double(rotary.getDims());
  SmallVector<double> thetas;
  auto addThetas = [&](double frequency, double pairs) {
    double exponent = dims / (2 * pairs);
    for (double theta : roundedOf(std::pow(std::abs(frequency), -exponent), precision * exponent))
      if (theta > 1 && std::isfinite(theta) && !llvm::is_contained(thetas, theta))
        thetas.push_back(theta);
  };
  for (size_t pair = frequencies.size() - 1; pair > 0; --pair)
    addThetas(frequencies[pair], double(pair));
  // Where all are stretched alike, two tell.
  if (frequencies.size() > 2)
    addThetas(frequencies.back() / frequencies[1], double(frequencies.size() - 2));
  // And the last two are, where others lie between.
  if (frequencies.size() > 2)
    addThetas(frequencies.back() / frequencies[frequencies.size() - 2], 1);
  if (frequencies.size() == 1)
    thetas.push_back(1e4); // which then says nothing
  for (double theta : thetas)
    if (moe::RotaryAttr plain = make(theta, {}); holds(plain))
      return plain;
  // All pairs lie between what they are alone and what they are when they are stretched, as far as halves tell.
  auto mayBe = [&](double theta, double factor) {
    for (auto [pair, frequency] : llvm::enumerate(frequencies)) {
      double plain = std::pow(theta, -2 * double(pair) / dims), size = std::abs(frequency);
      if (!(size >= plain / factor * 0.998 - 1e-7 && size <= plain * 1.002 + 1e-7))
        return false;
    }
    return true;
  };
  // The slowest pair is stretched by the factor, the ramp is where released models have it.
  for (double theta : thetas)
    for (double factor :
         roundedOf(std::pow(theta, -2 * double(frequencies.size() - 1) / dims) / std::abs(frequencies.back()), 10 * precision))
      if (factor > 1 && mayBe(theta, factor))
        for (bool truncate : {true, false})
          for (int64_t original = 16; original <= 1 << 20; original *= 2)
            for (auto [fast, slow] : {std::pair(32.0, 1.0), {1.0, 1.0}, {4.0, 1.0}}) {
              auto yarn =
                  moe::YarnAttr::get(rotary.getContext(), moe::F64(factor), original, moe::F64(fast), moe::F64(slow), truncate);
              if (moe::RotaryAttr stretched = make(theta, yarn); holds(stretched))
                return stretched;
            }
  return {};
}

/// Beyond that no angles are tried.
constexpr int64_t farthest = 100002;

/// How many positions angles are tried at.
int64_t lastOf(const StepArguments &arguments) { return std::clamp<int64_t>(arguments.positions(), 3, farthest); }

/// At which shapes angles are tried, the first ones saying what they are at positions 0 and 1: as far as there are positions.
SmallVector<StepShape> shapesOf(const StepArguments &arguments) {
  const int64_t last = lastOf(arguments);
  SmallVector<StepShape> shapes;
  if (arguments.pasts().empty())
    shapes = {{1, 3, 0}, {2, 20, 0}, {1, 60, 0}, {1, 300, 0}, {1, 3000, 0}};
  else
    shapes = {{1, 3, 0}, {2, 2, 11}, {1, 3, 37}, {2, 2, 100}, {1, 3, 1000}, {1, 2, 10000}, {1, 2, last - 2}};
  // Of as many tokens at once, angles would be too many.
  constexpr int64_t mostAtOnce = 40000;
  if (arguments.pasts().empty())
    shapes.push_back({1, std::min(last, mostAtOnce), 0});
  llvm::erase_if(shapes, [&](StepShape shape) { return shape.past + shape.length > last; });
  return shapes;
}

/// The most positions, between `first` and `last`, at which angles are still those.
int64_t lengthOf(Factors &factors, ArrayRef<double> frequencies, double multiplier, double precision, int64_t first, int64_t last) {
  while (first + 1 < last) {
    int64_t middle = std::midpoint(first, last);
    std::optional<Turns> turns = factors.at({1, 2, middle - 2});
    (turns && agrees(frequencies, multiplier, *turns, precision) ? first : last) = middle;
  }
  return first;
}

/// The frequencies that position 1 says, made more precise by positions that are farther and farther away.
void refine(SmallVectorImpl<double> &frequencies, ArrayRef<Turns> turns) {
  for (const Turns &each : turns)
    for (auto [row, position] : llvm::enumerate(each.positions))
      for (auto [pair, frequency] : llvm::enumerate(frequencies)) {
        double seen = std::atan2(each.sin.row(int64_t(row))[pair], each.cos.row(int64_t(row))[pair]);
        double off = std::remainder(seen - position * frequency, 2 * std::numbers::pi);
        if (position > 1 && std::abs(off) < 0.5)
          frequency += off / position;
      }
}

RotaryMatch match(Factors &factors, moe::RotaryAttr rotary, const StepArguments &arguments, ArrayRef<StepShape> shapes) {
  RotaryMatch match;
  std::optional<Turns> first = factors.at(shapes.front());
  size_t pairs = size_t(rotary.getDims() / 2);
  if (!first || size_t(first->cos.width()) != pairs) {
    match.problem = "the angles of a rotary embedding cannot be evaluated";
    return match;
  }
  // At position 0 there is the multiplier, at position 1 there are the frequencies.
  SmallVector<double> frequencies;
  for (size_t pair = 0; pair < pairs; ++pair)
    frequencies.push_back(std::atan2(first->sin.row(1)[pair], first->cos.row(1)[pair]));
  double precision = factors.precision();
  SmallVector<double> multipliers = roundedOf(first->cos.row(0)[0], precision / 10);
  SmallVector<Turns> turns{*first};
  for (StepShape shape : shapes.drop_front())
    if (std::optional<Turns> more = factors.at(shape)) // beyond the end of a table there are none
      turns.push_back(std::move(*more));
  const int64_t last = lastOf(arguments);
  if (arguments.pasts().empty())
    for (int64_t position : {int64_t(10000), last - 3})
      if (std::optional<Turns> more = position + 3 <= last ? factors.atPositions(position, last) : std::nullopt)
        turns.push_back(std::move(*more));
  bool isPositive = !multipliers.empty() && multipliers.front() > 0;
  if (turns.size() > 1 && isPositive)
    match.rotary = firstOf(frequencies, multipliers.front(), precision, rotary, [&](moe::RotaryAttr hypothesis) {
      return llvm::all_of(turns, [&](const Turns &each) { return agrees(hypothesis, each, precision); });
    });
  if (match.rotary)
    return match;
  if (!isPositive || turns.size() < 2) {
    match.problem = "the angles of a rotary embedding cannot be evaluated";
    return match;
  }
  // Frequencies that no formula gives are what they are.
  auto agree = [&](const Turns &each) { return agrees(frequencies, multipliers.front(), each, precision); };
  size_t known = 1;
  for (refine(frequencies, ArrayRef(turns).take_front(known)); known < turns.size(); ++known) {
    SmallVector<double> finer = frequencies;
    refine(finer, turns[known]);
    if (!agrees(finer, multipliers.front(), turns[known], precision))
      break;
    frequencies = std::move(finer);
  }
  if (known == turns.size() && llvm::all_of(turns, agree)) {
    for (double &frequency : frequencies)
      if (SmallVector<double> rounded = roundedOf(frequency, 1e-9); !rounded.empty())
        frequency = rounded.front();
    match.rotary = moe::RotaryAttr::get(rotary.getContext(), rotary.getDims(), std::nullopt, rotary.getLayout(), rotary.getOffset(),
                                        moe::F64(multipliers.front()), /*inverse=*/false, {},
                                        DenseF64ArrayAttr::get(rotary.getContext(), frequencies));
    return match;
  }
  match.problem = "the angles of a rotary embedding follow from positions in a way that no attribute says: they are not "
                  "proportional to them, or other ones where there are more tokens";
  auto end = [](const Turns &each) { return int64_t(each.positions.back()) + 1; };
  int64_t length = arguments.pasts().empty() || known == turns.size()
                       ? 0
                       : lengthOf(factors, frequencies, multipliers.front(), precision, end(turns[known - 1]), end(turns[known]));
  if (length > end(*first))
    match.problem =
        llvm::formatv("the angles of a rotary embedding are others where there are more than {0} positions: a step may have "
                      "so many, if 'max_position_embeddings' of config.json or 'context_length' of genai_config.json "
                      "says that there are no more",
                      length);
  return match;
}

} // namespace

RotaryMatch passes::matchRotary(Value cos, Value sin, moe::RotaryAttr rotary, const StepArguments &arguments,
                                RotaryMatches &known) {
  Factors factors(cos, sin, arguments);
  if (!factors.dependOnPositionsAlone()) {
    RotaryMatch match;
    match.problem = "the angles of a rotary embedding depend on more than positions";
    return match;
  }
  SmallVector<StepShape> shapes = shapesOf(arguments);
  std::string key = factors.keyAt(shapes);
  llvm::raw_string_ostream(key) << rotary;
  auto [entry, isNew] = known.try_emplace(std::move(key));
  if (isNew)
    entry->second = match(factors, rotary, arguments, shapes);
  return entry->second;
}
