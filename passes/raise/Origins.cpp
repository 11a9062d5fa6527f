// Where the elements of a tensor come from, when ops only move them.
#include "passes/raise/Origins.h"
#include "passes/raise/Structure.h"

#include "llvm/ADT/SetVector.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

SmallVector<Value> passes::movedInto(Value value) {
  constexpr size_t most = 256;
  SetVector<Value> found;
  SmallVector<Value> pending{value};
  while (!pending.empty() && found.size() < most) {
    Value next = pending.pop_back_val();
    if (!isa<RankedTensorType>(next.getType()) || !found.insert(next))
      continue;
    if (Operation *op = next.getDefiningOp(); op && isMovement(op))
      llvm::append_range(pending, valuesReadBy(op));
  }
  SmallVector<Value> sorted = found.takeVector();
  sortLatestFirst(sorted);
  return sorted;
}

std::optional<Origins> Origins::of(Value value, ArrayRef<Value> sources, Sizes &sizes, evaluator::Budget *budget,
                                   ArrayRef<Value> deciding, ArrayRef<Tensor> decisions) {
  constexpr int64_t most = 1 << 20;            // elements of a source
  constexpr int64_t before = int64_t(1) << 40; // numbers that no decision is
  SmallVector<Value> inputs(sources);
  llvm::append_range(inputs, deciding);
  std::optional<Excerpt> excerpt = Excerpt::make(value, inputs, budget);
  if (!excerpt)
    return std::nullopt;
  // Elements are numbered, and come out where they are moved.
  Origins origins;
  std::vector<Tensor> numbered;
  for (auto [index, source] : llvm::enumerate(sources)) {
    std::optional<SmallVector<int64_t>> shape = sizes.shape(source);
    if (!shape || countOf(*shape) > most)
      return std::nullopt;
    Tensor tensor(std::vector<int64_t>(shape->begin(), shape->end()));
    for (auto [at, element] : llvm::enumerate(tensor.elements))
      element = double(before + int64_t(at) + int64_t(index) * most);
    numbered.push_back(std::move(tensor));
    origins.sourceShapes.push_back(*shape);
  }
  llvm::append_range(numbered, decisions);
  std::optional<Tensor> moved = excerpt->evaluate(numbered, sizes);
  if (!moved)
    return std::nullopt;
  origins.shape.assign(moved->shape.begin(), moved->shape.end());
  for (double number : moved->elements) {
    bool isWhole = number >= double(before) && number < double(2 * before) && number == std::floor(number);
    int64_t element = isWhole ? int64_t(number) - before : 0;
    bool isNumber = isWhole && element / most < int64_t(sources.size());
    origins.elements.push_back(isNumber ? std::optional(Origin{size_t(element / most), element % most}) : std::nullopt);
  }
  return origins;
}
