// Parts of tensors, and tensors that become parts: Slice, Split, Pad, Trilu.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Axes.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {
/// What Slice takes of one dimension.
struct Cut {
  Extent start, size, step = 1;
};
} // namespace

/// Numpy's rules: ends are clamped to the dimension, negative ones count from its end.
static Cut clampedRange(Extents &x, const Extent &dim, const Extent &start, const Extent &end, const Extent &step) {
  // What stands for "to the end" must not overflow.
  constexpr int64_t far = int64_t(1) << 40;
  auto fromFront = [&](const Extent &given) {
    Extent value = given.isConstant() ? Extent(std::clamp(given.constant(), -far, far)) : given;
    return x.ifNegative(value, x.add(dim, value), value);
  };
  auto clamp = [&](const Extent &value, const Extent &least, const Extent &most) {
    return x.maximum(x.minimum(value, most), least);
  };
  Extent last = x.subtract(dim, 1);
  Extent first = x.ifNegative(step, clamp(fromFront(start), 0, x.maximum(last, 0)), clamp(fromFront(start), 0, dim));
  // An end of -1 - dim or less stays before the first.
  Extent stop = x.ifNegative(step, clamp(fromFront(end), -1, last), clamp(fromFront(end), 0, dim));
  if (step.is(1))
    return {first, x.maximum(x.subtract(stop, first), 0), step};
  Extent round = x.ifNegative(step, x.add(step, 1), x.subtract(step, 1));
  Extent size = x.divide(x.add(x.subtract(stop, first), round), step);
  return {first, x.minimum(x.maximum(size, 0), dim), step};
}

static LogicalResult slice(Call &call) {
  const Tensor &input = call.in(0);
  Extents &x = call.e.extents;
  auto starts = integersOf(call, "starts", 1), ends = integersOf(call, "ends", 2), axes = integersOf(call, "axes", 3);
  auto steps = integersOf(call, "steps", 4);
  if (failed(starts) || failed(ends) || failed(axes) || failed(steps) || !*starts || !*ends)
    return call.refuse("expected starts and ends");
  size_t count = (*starts)->size();
  if ((*ends)->size() != count || (*axes && (*axes)->size() != count) || (*steps && (*steps)->size() != count))
    return call.refuse("expected as many ends, axes and steps as starts, " + Twine(count));
  SmallVector<Cut> ranges;
  for (const Extent &size : input.shape)
    ranges.push_back({0, size});
  for (size_t index = 0; index < count; ++index) {
    Extent axis = *axes ? (**axes)[index] : Extent(static_cast<int64_t>(index)), step = *steps ? (**steps)[index] : Extent(1);
    if (step.is(0))
      return call.refuse("steps: expected them not to be 0");
    auto flags = chosenAxes(call, {axis}, input.rank());
    if (failed(flags))
      return failure();
    for (int64_t dim = 0; dim < input.rank(); ++dim) {
      if ((*flags)[dim].is(0))
        continue;
      Cut range = clampedRange(x, input.shape[dim], (**starts)[index], (**ends)[index], step);
      ranges[dim].start = x.ifEqual((*flags)[dim], 1, range.start, ranges[dim].start);
      ranges[dim].size = x.ifEqual((*flags)[dim], 1, range.size, ranges[dim].size);
      ranges[dim].step = x.ifEqual((*flags)[dim], 1, range.step, ranges[dim].step);
    }
  }
  Shape offsets, sizes;
  for (const Cut &range : ranges) {
    offsets.push_back(range.start);
    sizes.push_back(range.size);
  }
  if (llvm::all_of(ranges, [](const Cut &range) { return range.step.is(1); })) {
    call.give(0, call.e.slice(input, offsets, sizes));
    return success();
  }
  Value source = call.e.value(input);
  SmallVector<std::pair<Value, Value>> lines;
  for (const Cut &range : ranges)
    lines.emplace_back(x.value(range.start), x.value(range.step));
  call.give(0, call.e.generate(sizes, input.type, [&](Scalars &s, ValueRange indices) -> Value {
    SmallVector<Value> at;
    for (auto [index, line] : llvm::zip(indices, lines))
      at.push_back(s.add(line.first, s.multiply(index, line.second)));
    return tensor::ExtractOp::create(s.b, source, at);
  }));
  return success();
}

static LogicalResult split(Call &call) {
  const Tensor &input = call.in(0);
  Extents &x = call.e.extents;
  FailureOr<int64_t> axis = call.axis(call.integer("axis", 0), input.rank());
  auto given = integersOf(call, "split", 1);
  if (failed(axis) || failed(given))
    return failure();
  const Extent &whole = input.shape[*axis];
  auto parts = static_cast<int64_t>(call.outputCount());
  if (int64_t asked = call.integer("num_outputs", parts); asked != parts || parts == 0)
    return call.refuse("attribute 'num_outputs': expected the number of outputs, " + Twine(parts) + ", got " + Twine(asked));
  SmallVector<Extent, 4> sizes;
  if (*given) {
    sizes = **given;
    if (static_cast<int64_t>(sizes.size()) != parts)
      return call.refuse("split: expected a size for each of " + Twine(parts) + " outputs, got " + Twine(sizes.size()));
  } else {
    Extent each = x.divide(x.add(whole, parts - 1), parts);
    if (x.isMultiple(whole, parts))
      each = x.divide(whole, parts);
    sizes.assign(parts, each);
    if (!x.isMultiple(whole, parts))
      sizes.back() = x.subtract(whole, x.multiply(each, parts - 1));
  }
  Extent offset = 0;
  for (auto [index, size] : llvm::enumerate(sizes)) {
    if (size.isConstant() && size.constant() < 0)
      return call.refuse("split: expected sizes of at least 0, got " + Twine(size.constant()));
    size = x.maximum(size, 0);
    call.give(index, call.e.sliceAxis(input, *axis, offset, size));
    offset = x.add(offset, size);
  }
  if (offset != whole && offset.isConstant() && whole.isConstant())
    return call.refuse("split: expected sizes that add up to " + Twine(whole.constant()) + ", got " + Twine(offset.constant()));
  call.e.requireEqual(offset, whole, call.place() + ": sizes do not add up");
  return success();
}

/// The index of the element that pads place `index`, and whether there is none but the constant.
static std::pair<Value, Value> paddedIndex(Scalars &s, StringRef mode, Value index, Value before, Value size) {
  Value at = s.subtract(index, before), zero = s.index(0), last = s.subtract(size, s.index(1));
  Value outside = s.either(s.less(at, zero), s.lessOrEqual(size, at));
  Value clamped = s.maximum(s.minimum(at, last), zero);
  if (mode == "reflect") {
    Value period = s.maximum(s.multiply(s.index(2), last), s.index(1));
    Value turn = s.remainder(s.add(s.remainder(at, period), period), period);
    clamped = s.minimum(turn, s.subtract(s.multiply(s.index(2), last), turn));
    clamped = s.maximum(s.minimum(clamped, last), zero);
  } else if (mode == "wrap") {
    clamped = s.remainder(s.add(s.remainder(at, size), size), size);
  }
  return {clamped, outside};
}

static LogicalResult pad(Call &call) {
  const Tensor &input = call.in(0);
  Extents &x = call.e.extents;
  StringRef mode = call.text("mode", "constant");
  auto pads = integersOf(call, "pads", 1), axes = integersOf(call, "axes", 3);
  if (failed(pads) || failed(axes) || !*pads)
    return call.refuse("expected pads");
  if (!llvm::is_contained({"constant", "edge", "reflect", "wrap"}, mode))
    return call.refuse("attribute 'mode': expected constant, edge, reflect or wrap, got '" + mode + "'");
  size_t count = *axes ? (*axes)->size() : input.rank();
  if ((*pads)->size() != 2 * count)
    return call.refuse("pads: expected two for each of " + Twine(count) + " axes, got " + Twine((*pads)->size()));
  SmallVector<Extent> before(input.rank(), 0), after(input.rank(), 0);
  for (size_t index = 0; index < count; ++index) {
    auto flags = chosenAxes(call, {*axes ? (**axes)[index] : Extent(static_cast<int64_t>(index))}, input.rank());
    if (failed(flags))
      return failure();
    for (int64_t dim = 0; dim < input.rank(); ++dim) {
      before[dim] = x.ifEqual((*flags)[dim], 1, (**pads)[index], before[dim]);
      after[dim] = x.ifEqual((*flags)[dim], 1, (**pads)[count + index], after[dim]);
    }
  }
  Shape shape;
  for (int64_t dim = 0; dim < input.rank(); ++dim)
    shape.push_back(x.maximum(x.add(x.add(before[dim], input.shape[dim]), after[dim]), 0));
  Tensor filler = call.has(2) ? call.in(2) : call.e.filled({}, input.type, call.number("value", 0));
  if (filler.type != input.type || !filler.isStatic() || filler.count() != 1)
    return call.refuse("constant_value: expected one number of the input's type");
  Value source = call.e.value(input), fill = call.e.scalar(filler);
  SmallVector<std::pair<Value, Value>> bounds;
  for (int64_t dim = 0; dim < input.rank(); ++dim)
    bounds.emplace_back(x.value(before[dim]), x.value(input.shape[dim]));
  if (llvm::any_of(input.shape, [](const Extent &size) { return size.is(0); })) { // nothing to read
    call.give(0, call.e.expand(filler, shape));
    return success();
  }
  call.give(0, call.e.generate(shape, input.type, [&](Scalars &s, ValueRange indices) -> Value {
    SmallVector<Value> at;
    Value isOutside;
    for (auto [index, bound] : llvm::zip(indices, bounds)) {
      auto [inside, outside] = paddedIndex(s, mode, index, bound.first, bound.second);
      at.push_back(inside);
      isOutside = isOutside ? s.either(isOutside, outside) : outside;
    }
    Value element = tensor::ExtractOp::create(s.b, source, at);
    return mode == "constant" && isOutside ? s.select(isOutside, fill, element) : element;
  }));
  return success();
}

static LogicalResult trilu(Call &call) {
  const Tensor &input = call.in(0);
  if (input.rank() < 2)
    return call.refuse("expected at least 2 dimensions, got " + Twine(input.rank()));
  bool upper = call.flag("upper", true);
  Extent diagonal = 0;
  if (auto k = integersOf(call, "k", 1); failed(k))
    return failure();
  else if (*k && !(*k)->empty())
    diagonal = (*k)->front();
  Value offset = call.e.extents.value(diagonal);
  Subscripts all;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    all.push_back(static_cast<int>(axis));
  call.give(0, call.e.loop({input}, {all}, input.shape, input.rank(), input.type, std::nullopt, [&](Scalars &s, ValueRange x) {
    Value row = linalg::IndexOp::create(s.b, input.rank() - 2), column = linalg::IndexOp::create(s.b, input.rank() - 1);
    Value edge = s.add(row, offset);
    Scalars indices(s.b);
    Value keep = upper ? indices.lessOrEqual(edge, column) : indices.lessOrEqual(column, edge);
    return s.select(keep, x[0], s.like(x[0], 0));
  }));
  return success();
}

ArrayRef<Operator> onnx::sliceOperators() {
  static constexpr Operator operators[] = {
      {"Slice", slice, 1, 5}, {"Split", split, 1, 2, anyNumber}, {"Pad", pad, 1, 4}, {"Trilu", trilu, 1, 2}};
  return operators;
}
