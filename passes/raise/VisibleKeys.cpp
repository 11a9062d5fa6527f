// Which keys the queries of an attention across rows see, when it is a step's.
#include "passes/raise/VisibleKeys.h"
#include "passes/raise/Excerpt.h"

#include "mlir/IR/Matchers.h"

#include "llvm/Support/FormatVariadic.h"

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

  /// For every sequence, query and key whether it is seen; nothing, and a problem, when that is not to be said.
  std::optional<Tensor> at(StepShape shape, std::string &problem);

private:
  const Visibility &visibility;
  const StepArguments &arguments;
  std::optional<Excerpt> lengths, first, bias;
};

std::optional<Tensor> Trial::at(StepShape shape, std::string &problem) {
  int64_t positions = shape.past + shape.length;
  auto evaluate = [&](std::optional<Excerpt> &excerpt) { return excerpt ? arguments.evaluate(*excerpt, shape) : std::nullopt; };
  std::optional<Tensor> counts = evaluate(lengths), starts = evaluate(first), added = evaluate(bias);
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

/// Integers that occur in what makes the values: among them is the width of a window, if there is one.
static std::set<int64_t> integersBehind(ArrayRef<Value> values, ArrayRef<Value> inputs) {
  std::set<int64_t> found;
  auto take = [&](Value value) {
    DenseIntElementsAttr elements;
    APInt integer;
    if (matchPattern(value, m_ConstantInt(&integer)) && integer.getBitWidth() > 1)
      found.insert(std::abs(integer.getSExtValue()));
    else if (matchPattern(value, m_Constant(&elements)) && elements.isSplat() &&
             elements.getElementType().getIntOrFloatBitWidth() > 1)
      found.insert(std::abs(elements.getSplatValue<APInt>().getSExtValue()));
  };
  for (Value value : values) {
    std::optional<Between> between = value ? opsBetween({}, value) : std::nullopt;
    if (value && !between)
      between = opsBetween(inputs, value);
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

CausalMatch passes::matchCausal(const Visibility &visibility, const StepArguments &arguments) {
  constexpr int64_t widest = 1 << 17, most = 1 << 20; // of a window; keys that are tried at once
  CausalMatch match;
  Trial trial(visibility, arguments);
  if (!trial.prepare()) {
    match.problem = "what it attends to depends on more than positions and a mask";
    return match;
  }
  std::set<int64_t> numbers = integersBehind({visibility.lengths, visibility.first, visibility.bias}, arguments.integers());
  if (visibility.window)
    numbers.insert(*visibility.window);
  constexpr size_t mostNumbers = 24;
  if (numbers.size() > mostNumbers) {
    match.problem = "what it attends to is made of more numbers than can be tried for the width of a window";
    return match;
  }
  bool hasPast = !arguments.pasts().empty();
  SmallVector<StepShape> shapes(arguments.trials());
  if (hasPast)
    shapes.append({{1, 1, 7}, {2, 1, 4}, {1, 4, 0}});
  // Behind each number that may be a window's width.
  for (int64_t number : numbers) {
    if (number < 2 || number > widest)
      continue;
    shapes.push_back(hasPast ? StepShape{1, 2, number + 2} : StepShape{1, number + 3, 0});
    if (shapes.back().length * (shapes.back().past + shapes.back().length) > most) {
      match.problem = llvm::formatv("it is too much to try whether it has a window of {0}", number).str();
      return match;
    }
  }
  std::vector<std::pair<StepShape, Tensor>> seen;
  for (StepShape shape : shapes)
    if (std::optional<Tensor> tensor = trial.at(shape, match.problem))
      seen.emplace_back(shape, std::move(*tensor));
    else
      return match;
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
