// Which keys the queries of an attention across rows see, when it is a step's.
#include "passes/raise/VisibleKeys.h"
#include "passes/raise/Excerpt.h"

#include "mlir/IR/Matchers.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <set>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

/// Scores that far below others have no part in a softmax.
static constexpr double hidden = -1e4;

namespace {

/// The operands as functions of the arguments of integers.
class Trial {
public:
  Trial(const Visibility &visibility, const StepArguments &arguments) : visibility(visibility), arguments(arguments) {}

  /// Whether everything depends on integers and sizes alone.
  bool prepare() {
    for (auto [value, excerpt] : {std::pair(visibility.lengths, &lengths), {visibility.first, &first}, {visibility.bias, &bias}})
      if (value && !(*excerpt = arguments.excerptOf(value)))
        return false;
    return true;
  }

  /// With it, all that the trial tells is the same.
  std::string keyAt(ArrayRef<StepShape> shapes) {
    std::string key = visibility.window ? std::to_string(*visibility.window) : "";
    for (std::optional<Excerpt> *excerpt : {&lengths, &first, &bias})
      key += ';' + (*excerpt ? arguments.keyOf(**excerpt, shapes) : "");
    return key;
  }

  /// For every sequence, query and key whether it is seen; nothing, and a problem, when that is not to be said.
  std::optional<Tensor> at(StepShape shape, std::string &problem);
  /// Whether that was so because the function does not go as far as that shape.
  bool endsBefore() const { return ends && arguments.budget()->rest() > 0; }

private:
  const Visibility &visibility;
  const StepArguments &arguments;
  std::optional<Excerpt> lengths, first, bias;
  bool ends = false;
};

std::optional<Tensor> Trial::at(StepShape shape, std::string &problem) {
  int64_t positions = shape.past + shape.length;
  auto evaluate = [&](std::optional<Excerpt> &excerpt) { return excerpt ? arguments.evaluate(*excerpt, shape) : std::nullopt; };
  std::optional<Tensor> counts = evaluate(lengths), starts = evaluate(first), added = evaluate(bias);
  ends = true;
  if (!counts || (first && !starts) || (bias && !added)) {
    problem = "what it attends to cannot be evaluated";
    return std::nullopt;
  }
  Tensor seen({shape.sequences, shape.length, positions});
  bool fits =
      int64_t(counts->elements.size()) == shape.sequences && (!starts || starts->elements.size() == counts->elements.size());
  if (fits && added) {
    const int64_t wanted[] = {shape.sequences, added->shape[1], shape.length, positions};
    for (auto [size, want] : llvm::zip_equal(added->shape, wanted))
      fits &= size == want || size == 1;
  }
  if (!fits) {
    problem = "its keys are not those of the past and of the new tokens";
    return std::nullopt;
  }
  ends = false;
  auto biasAt = [&](int64_t sequence, int64_t head, int64_t query, int64_t key) {
    const int64_t place[] = {sequence, head, query, key};
    int64_t index = 0;
    for (auto [size, at] : llvm::zip_equal(added->shape, place))
      index = index * size + (size == 1 ? 0 : at);
    return added->elements[size_t(index)];
  };
  evaluator::forEachPlace(seen.shape, [&](std::span<const int64_t> place) {
    auto [sequence, query, key] = std::tuple(place[0], place[1], place[2]);
    bool isSeen = double(key) < counts->elements[size_t(sequence)];
    if (starts) {
      double own = starts->elements[size_t(sequence)] + double(query);
      isSeen &= double(key) <= own && (!visibility.window || double(key) > own - double(*visibility.window));
    }
    for (int64_t head = 0; added && head < added->shape[1]; ++head) {
      double number = biasAt(sequence, head, query, key);
      bool isHidden = number <= hidden;
      if (number != biasAt(sequence, 0, query, key) || (!isHidden && number != 0))
        problem = "its mask adds other numbers than none and what hides a key";
      isSeen &= !isHidden;
    }
    seen.elements[size_t((sequence * shape.length + query) * positions + key)] = isSeen;
    return problem.empty();
  });
  return problem.empty() ? std::optional(std::move(seen)) : std::nullopt;
}

} // namespace

static constexpr int64_t widest = 1 << 17; ///< of a window

/// Numbers that occur in what makes the values, as constants or as what sizes do not change: widths of windows are mostly among
/// them.
static std::set<int64_t> numbersBehind(ArrayRef<Value> values, const StepArguments &arguments) {
  constexpr int64_t mostElements = 64; // of a constant, so that no table is taken for numbers
  std::set<int64_t> found;
  auto add = [&](double number) {
    double size = std::abs(number);
    if (number > hidden && size >= 2 && size <= double(widest) && size == std::floor(size))
      found.insert(int64_t(size));
  };
  auto take = [&](Value value) {
    Attribute constant;
    if (!matchPattern(value, m_Constant(&constant)))
      return;
    if (auto integer = dyn_cast<IntegerAttr>(constant))
      add(double(integer.getValue().getSExtValue()));
    else if (auto real = dyn_cast<FloatAttr>(constant))
      add(real.getValueAsDouble());
    else if (auto integers = dyn_cast<DenseIntElementsAttr>(constant)) {
      if (integers.isSplat() || integers.getNumElements() <= mostElements)
        for (const APInt &element : integers)
          add(double(element.getSExtValue()));
    } else if (auto reals = dyn_cast<DenseFPElementsAttr>(constant)) {
      if (reals.isSplat() || reals.getNumElements() <= mostElements)
        for (APFloat element : reals) {
          bool losesInfo;
          element.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
          add(element.convertToDouble());
        }
    }
  };
  Sizes small = arguments.sizes(arguments.trials()[0]), other = arguments.sizes(arguments.trials()[1]);
  for (Value value : values) {
    std::optional<Between> between = value ? opsBetween({}, value) : std::nullopt;
    if (value && !between)
      between = opsBetween(arguments.integers(), value);
    if (!between)
      continue;
    for (Operation *op : between->ops)
      op->walk([&](Operation *inner) { llvm::for_each(inner->getOperands(), take); });
    // And behind the integers that depend on sizes alone.
    SmallVector<Value> numbers(between->numbers);
    DenseSet<Value> seen;
    while (!numbers.empty()) {
      Value number = numbers.pop_back_val();
      take(number);
      if (std::optional<int64_t> at = small.number(number); at && at == other.number(number))
        add(double(*at));
      Operation *op = number.getDefiningOp();
      if (op && seen.insert(number).second && isa<arith::ArithDialect>(op->getDialect()))
        llvm::append_range(numbers, op->getOperands());
    }
  }
  return found;
}

/// The same for queries that see the positions up to their own, in a window.
static bool isCausal(const Tensor &seen, StepShape shape, std::optional<int64_t> window) {
  bool agrees = true;
  size_t index = 0;
  evaluator::forEachPlace(seen.shape, [&](std::span<const int64_t> place) {
    int64_t own = shape.past + place[1];
    bool wanted = place[2] <= own && (!window || place[2] > own - *window);
    return agrees = wanted == bool(seen.elements[index++]);
  });
  return agrees;
}

/// How many keys the last query sees at that shape, when these are the last ones and not all.
static std::optional<int64_t> widthSeen(const Tensor &seen, StepShape shape) {
  ArrayRef<double> last = ArrayRef(seen.elements).take_back(size_t(shape.past + shape.length));
  auto begin = llvm::find(last, 1.0);
  bool isWindow = begin != last.begin() && std::all_of(begin, last.end(), [](double sees) { return sees == 1; });
  return isWindow && begin != last.end() ? std::optional(last.end() - begin) : std::nullopt;
}

/// Which shapes say whether one of the numbers is the width of a window: those right behind it.
static bool addShapes(const std::set<int64_t> &numbers, bool hasPast, SmallVector<StepShape> &shapes, std::string &problem) {
  constexpr int64_t most = 1 << 20; // keys that are tried at once
  for (int64_t number : numbers) {
    if (number < 2 || number > widest)
      continue;
    StepShape shape = hasPast ? StepShape{1, 2, number + 2} : StepShape{1, number + 3, 0};
    if (shape.length * (shape.past + shape.length) > most) {
      problem = llvm::formatv("it is too much to try whether it has a window of {0}", number).str();
      return false;
    }
    shapes.push_back(shape);
  }
  return true;
}

/// Tries the shapes, of which a function goes as far as the first `certain` ones.
static CausalMatch match(Trial &trial, std::set<int64_t> numbers, bool hasPast, ArrayRef<StepShape> shapes, int64_t certain) {
  CausalMatch match;
  std::vector<std::pair<StepShape, Tensor>> seen;
  auto look = [&](StepShape shape) {
    std::optional<Tensor> tensor = trial.at(shape, match.problem);
    if (tensor)
      seen.emplace_back(shape, std::move(*tensor));
    return tensor.has_value();
  };
  for (auto [index, shape] : llvm::enumerate(shapes))
    if (!look(shape)) {
      // No window is wider than a table that the mask is.
      if (int64_t(index) < certain || !trial.endsBefore())
        return match;
      match.problem.clear();
    }
  // A window may also be seen, however its width is computed.
  for (StepShape far : {hasPast ? StepShape{1, 1, widest} : StepShape{1, 400, 0}, StepShape{1, 1, hasPast ? 2000 : 0}}) {
    std::string ignored;
    std::optional<Tensor> tensor = trial.at(far, ignored);
    if (!tensor)
      continue;
    if (std::optional<int64_t> width = widthSeen(*tensor, far); width && numbers.insert(*width).second) {
      SmallVector<StepShape> behind;
      if (!addShapes({*width}, hasPast, behind, match.problem) || !llvm::all_of(behind, look))
        return match;
    }
    seen.emplace_back(far, std::move(*tensor));
  }
  auto agrees = [&](std::optional<int64_t> window) {
    return llvm::all_of(seen, [&](const auto &each) { return isCausal(each.second, each.first, window); });
  };
  if (agrees(std::nullopt))
    return match;
  for (int64_t number : numbers)
    for (int64_t window : {number, number + 1})
      if (window > 0 && agrees(window)) {
        match.window = window;
        return match;
      }
  match.problem = "tokens attend to others than those up to their own";
  return match;
}

CausalMatch passes::matchCausal(const Visibility &visibility, const StepArguments &arguments, CausalMatches &known) {
  CausalMatch found;
  Trial trial(visibility, arguments);
  if (!trial.prepare()) {
    found.problem = "what it attends to depends on more than positions and a mask";
    return found;
  }
  std::set<int64_t> numbers = numbersBehind({visibility.lengths, visibility.first, visibility.bias}, arguments);
  if (visibility.window)
    numbers.insert(*visibility.window);
  constexpr size_t mostNumbers = 24;
  if (numbers.size() > mostNumbers) {
    found.problem = "what it attends to is made of more numbers than can be tried for the width of a window";
    return found;
  }
  bool hasPast = !arguments.pasts().empty();
  SmallVector<StepShape> shapes(arguments.trials());
  if (hasPast)
    shapes.append({{1, 1, 7}, {2, 1, 4}, {1, 4, 0}});
  auto certain = int64_t(shapes.size());
  if (!addShapes(numbers, hasPast, shapes, found.problem))
    return found;
  auto [entry, isNew] = known.try_emplace(trial.keyAt(shapes));
  if (isNew)
    entry->second = match(trial, std::move(numbers), hasPast, shapes, certain);
  return entry->second;
}
