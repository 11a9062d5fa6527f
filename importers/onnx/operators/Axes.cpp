// Axes as flags of dimensions, so that what is known and what is not go the same way.
#include "importers/onnx/operators/Axes.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

FailureOr<std::optional<SmallVector<Extent, 4>>> onnx::integersOf(Call &call, StringRef name, size_t index) {
  using Result = std::optional<SmallVector<Extent, 4>>;
  if (call.hasAttribute(name)) {
    std::vector<int64_t> values = call.integers(name);
    return Result(SmallVector<Extent, 4>(values.begin(), values.end()));
  }
  if (!call.has(index))
    return Result();
  const Tensor &input = call.in(index);
  if (!isInteger(input.type) || input.rank() > 1 || !input.isStatic() || input.count() > 64)
    return call.refuse(name + ": expected at most 64 integers whose number is known before it runs, got " + nameOf(input.type) +
                       " " + spelled(input.shape));
  return Result(call.e.integers(input));
}

FailureOr<SmallVector<Extent>> onnx::chosenAxes(Call &call, ArrayRef<Extent> axes, int64_t rank, StringRef name) {
  SmallVector<Extent> flags(rank, Extent(0));
  Extents &extents = call.e.extents;
  for (const Extent &given : axes) {
    if (given.isConstant()) {
      FailureOr<int64_t> axis = call.axis(given.constant(), rank, name);
      if (failed(axis))
        return failure();
      if (flags[*axis].is(1))
        return call.refuse(name + ": expected distinct axes, got " + Twine(*axis) + " twice");
      flags[*axis] = 1;
      continue;
    }
    Extent axis = extents.ifNegative(given, extents.add(given, rank), given);
    for (int64_t dim = 0; dim < rank; ++dim)
      flags[dim] = extents.ifEqual(axis, dim, 1, flags[dim]);
  }
  return flags;
}

bool onnx::areKnown(ArrayRef<Extent> flags) {
  return llvm::all_of(flags, [](const Extent &flag) { return flag.isConstant(); });
}

Extent onnx::pick(Extents &extents, ArrayRef<Extent> list, const Extent &index) {
  if (list.empty())
    return 1;
  if (index.isConstant() && index.constant() >= 0 && index.constant() < static_cast<int64_t>(list.size()))
    return list[index.constant()];
  Extent result = list.front();
  for (size_t at = 1; at < list.size(); ++at)
    result = extents.ifEqual(index, static_cast<int64_t>(at), list[at], result);
  return result;
}

Shape onnx::withoutChosen(Extents &extents, ArrayRef<Extent> shape, ArrayRef<Extent> chosen, int64_t count) {
  Shape result;
  if (areKnown(chosen)) {
    for (auto [size, flag] : llvm::zip(shape, chosen))
      if (flag.is(0))
        result.push_back(size);
    return result;
  }
  result.resize(shape.size() - std::min<size_t>(count, shape.size()), Extent(1));
  Extent kept = 0; // before this dimension
  for (auto [size, flag] : llvm::zip(shape, chosen)) {
    for (auto [index, slot] : llvm::enumerate(result)) {
      Extent isHere = extents.ifEqual(kept, static_cast<int64_t>(index), extents.subtract(1, flag), 0);
      slot = extents.ifEqual(isHere, 1, size, slot);
    }
    kept = extents.add(kept, extents.subtract(1, flag));
  }
  return result;
}

/// Dimensions of 1 put where they are chosen in the result.
static Shape withChosen(Extents &extents, ArrayRef<Extent> shape, ArrayRef<Extent> chosen) {
  Shape result;
  Extent taken = 0;
  for (const Extent &flag : chosen) {
    result.push_back(extents.ifEqual(flag, 1, 1, pick(extents, shape, taken)));
    taken = extents.add(taken, extents.subtract(1, flag));
  }
  return result;
}

static FailureOr<Shape> squeezed(Call &call, const Tensor &input) {
  auto axes = integersOf(call, "axes", 1);
  if (failed(axes))
    return failure();
  SmallVector<Extent> chosen;
  int64_t count = 0;
  if (!*axes) {
    for (const Extent &size : input.shape) {
      if (!size.isConstant())
        return call.refuse("axes: expected them to be given where sizes are not known");
      chosen.push_back(size.is(1) ? 1 : 0);
    }
  } else {
    auto flags = chosenAxes(call, **axes, input.rank());
    if (failed(flags))
      return failure();
    chosen = *flags;
    count = (*axes)->size();
  }
  for (auto [size, flag] : llvm::zip(input.shape, chosen))
    if (flag.is(1) && size.isConstant() && !size.is(1))
      return call.refuse("axes: expected dimensions of size 1, got " + Twine(size.constant()));
  return withoutChosen(call.e.extents, input.shape, chosen, count);
}

static FailureOr<Shape> unsqueezed(Call &call, const Tensor &input) {
  auto axes = integersOf(call, "axes", 1);
  if (failed(axes))
    return failure();
  if (!*axes)
    return call.refuse("axes: expected them to be given");
  if (input.rank() + (*axes)->size() > 16)
    return call.refuse("axes: expected a result of at most 16 dimensions");
  auto flags = chosenAxes(call, **axes, input.rank() + (*axes)->size());
  if (failed(flags))
    return failure();
  return withChosen(call.e.extents, input.shape, *flags);
}

static FailureOr<Shape> flattened(Call &call, const Tensor &input) {
  int64_t axis = call.integer("axis", 1);
  if (axis < -input.rank() || axis > input.rank())
    return call.refuse("attribute 'axis': expected at most " + Twine(input.rank()) + ", got " + Twine(axis));
  ArrayRef<Extent> shape = input.shape;
  size_t front = axis < 0 ? axis + input.rank() : axis;
  return Shape{call.e.extents.product(shape.take_front(front)), call.e.extents.product(shape.drop_front(front))};
}

/// Sizes as Reshape has them: 0 copies a dimension, -1 is what is left over.
static FailureOr<Shape> requested(Call &call, const Tensor &input) {
  auto asked = integersOf(call, "shape", 1);
  if (failed(asked) || !*asked)
    return call.refuse("shape: expected integers");
  Extents &extents = call.e.extents;
  bool keepZero = call.flag("allowzero");
  Shape shape, known;
  bool isLeftOverKnown = false, mayBeLeftOver = false;
  if ((*asked)->size() > 16)
    return call.refuse("shape: expected at most 16 dimensions, got " + Twine((*asked)->size()));
  for (auto [axis, size] : llvm::enumerate(**asked)) {
    if (size.isConstant() && size.constant() < -1)
      return call.refuse("shape: expected sizes of at least -1, got " + Twine(size.constant()));
    if (size.is(-1)) {
      if (isLeftOverKnown)
        return call.refuse("shape: expected at most one -1, got two");
      isLeftOverKnown = true;
      shape.push_back(-1);
      continue;
    }
    Extent copied = axis < input.shape.size() ? input.shape[axis] : Extent(0);
    if (size.is(0) && !keepZero && axis >= input.shape.size())
      return call.refuse("shape: dimension " + Twine(axis) + " is to be copied, but there is none");
    shape.push_back(keepZero || (extents.isNotNegative(size) && !size.is(0)) ? size : extents.ifEqual(size, 0, copied, size));
    mayBeLeftOver |= !extents.isNotNegative(size);
    known.push_back(mayBeLeftOver ? extents.ifNegative(shape.back(), 1, shape.back()) : shape.back());
  }
  Extent all = extents.product(input.shape), others = extents.product(known);
  Extent rest = isLeftOverKnown || mayBeLeftOver ? extents.divide(all, others.is(0) ? Extent(1) : others) : Extent(1);
  Extent total(1);
  for (Extent &size : shape) {
    size = size.is(-1) ? rest : mayBeLeftOver ? extents.ifNegative(size, rest, size) : size;
    total = extents.multiply(total, size);
  }
  if (all.isConstant() && total.isConstant() && all != total)
    return call.refuse("cannot reshape " + spelled(input.shape) + " to " + spelled(shape));
  if (all != total && !isLeftOverKnown && !mayBeLeftOver && all.isConstant() != total.isConstant())
    call.e.requireEqual(all, total, call.place() + ": reshaped to another number of elements");
  return shape;
}

FailureOr<Shape> onnx::reshapedShape(Call &call) {
  const Tensor &input = call.in(0);
  if (call.type() == "Squeeze")
    return squeezed(call, input);
  if (call.type() == "Unsqueeze")
    return unsqueezed(call, input);
  if (call.type() == "Flatten")
    return flattened(call, input);
  return requested(call, input);
}
