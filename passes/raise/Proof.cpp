// Whether two values of a function are the same, as far as trying it tells.
#include "passes/raise/Proof.h"

#include "mlir/IR/BuiltinTypes.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

std::optional<Tensor> passes::drawFor(Value value, double deviation, Draw &draw, Sizes &sizes) {
  constexpr int64_t most = 1 << 22; // elements
  std::optional<SmallVector<int64_t>> shape = sizes.shape(value);
  if (!shape || countOf(*shape) > most)
    return std::nullopt;
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  Tensor tensor = draw.tensor(*shape, isa<FloatType>(element) ? deviation : 1);
  for (double &number : tensor.elements)
    if (element.isInteger(1))
      number = number > -1.3; // rarely is nothing true in a row
    else if (!isa<FloatType>(element))
      number = std::floor(std::abs(2 * number));
  return tensor;
}

ArrayRef<std::vector<int64_t>> passes::trialSizes() {
  static const std::vector<int64_t> choices[] = {{2, 3, 4, 5, 6}, {3, 5, 2, 7}, {1, 4, 3}, {3}, {4}};
  return choices;
}

/// Without what is no number in `old`.
static double differenceOfNumbers(Tensor old, Tensor candidate) {
  if (old.shape != candidate.shape)
    return std::numeric_limits<double>::infinity();
  for (auto [a, b] : llvm::zip_equal(old.elements, candidate.elements))
    if (std::isnan(a))
      a = b = 0;
  return evaluator::normalizedError(candidate, old);
}

static std::optional<std::string> tryBoth(Excerpt &before, Excerpt &after, ArrayRef<Value> inputs) {
  constexpr double tolerance = 1e-10;
  unsigned tried = 0;
  uint64_t seed = 0;
  for (const std::vector<int64_t> &choices : trialSizes())
    for (double deviation : {0.3, 3.0}) {
      Draw draw(seed++);
      Sizes sizes(choices);
      std::vector<Tensor> arguments;
      for (Value input : inputs)
        if (std::optional<Tensor> tensor = drawFor(input, deviation, draw, sizes))
          arguments.push_back(std::move(*tensor));
      if (arguments.size() != inputs.size())
        return "its sizes depend on data";
      // Arguments that have to agree in sizes may not: what one of both does not take says nothing.
      std::optional<Tensor> wanted = before.evaluate(arguments, sizes);
      std::optional<Tensor> got = wanted ? after.evaluate(arguments, sizes) : std::nullopt;
      if (!wanted || !got)
        continue;
      ++tried;
      if (double error = differenceOfNumbers(*wanted, *got); !(error <= tolerance))
        return llvm::formatv("the op that would take its place differs from it by {0:e2} in mean square", error).str();
    }
  return tried >= 2 ? std::nullopt : std::optional<std::string>("no sizes were found at which both can be evaluated");
}

std::optional<std::string> passes::differenceOf(Value old, Value candidate, ArrayRef<Value> inputs, Differences &known) {
  std::optional<Excerpt> before = Excerpt::make(old, inputs, &known.budget),
                         after = Excerpt::make(candidate, inputs, &known.budget);
  if (!before || !after)
    return "it depends on more than can be evaluated";
  // With the sizes that they are tried at, both say all that is tried.
  std::string key = before->text() + after->text();
  for (const std::vector<int64_t> &choices : trialSizes()) {
    Sizes sizes(choices);
    for (Value input : inputs)
      if (std::optional<SmallVector<int64_t>> shape = sizes.shape(input))
        for (int64_t size : *shape)
          key += std::to_string(size) + ' ';
      else
        key += "? ";
    key += before->numbersAt(sizes) + ';' + after->numbersAt(sizes) + ';';
  }
  auto [entry, isNew] = known.found.try_emplace(std::move(key));
  if (isNew)
    entry->second = tryBoth(*before, *after, inputs);
  if (entry->second && !known.budget.rest())
    return "no steps are left to try it with";
  return entry->second;
}
