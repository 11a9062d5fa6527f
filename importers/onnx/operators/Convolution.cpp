// Convolutions over any number of dimensions.
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

/// How a window of `taps` moves over one dimension of the input.
struct Window {
  int64_t taps, stride, dilation, before, after;
};

} // namespace

/// What the attributes say of each spatial dimension.
static FailureOr<SmallVector<Window>> readWindows(Call &call, ArrayRef<Extent> spatial, ArrayRef<int64_t> taps) {
  size_t rank = spatial.size();
  auto list = [&](StringRef name, size_t count, int64_t absent) {
    std::vector<int64_t> values = call.integers(name);
    if (values.empty())
      values.assign(count, absent);
    return values;
  };
  std::vector<int64_t> strides = list("strides", rank, 1), dilations = list("dilations", rank, 1), pads = list("pads", 2 * rank, 0);
  StringRef automatic = call.text("auto_pad", "NOTSET");
  if (strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank || taps.size() != rank)
    return call.refuse("attributes 'strides', 'dilations', 'pads' and 'kernel_shape': expected numbers for " + Twine(rank) +
                       " dimensions");
  constexpr int64_t most = int64_t(1) << 31;
  SmallVector<Window> windows;
  for (size_t dim = 0; dim < rank; ++dim) {
    Window window{taps[dim], strides[dim], dilations[dim], pads[dim], pads[rank + dim]};
    for (int64_t value : {window.taps, window.stride, window.dilation})
      if (value < 1 || value >= most)
        return call.refuse("attributes 'strides', 'dilations' and 'kernel_shape': expected positive numbers, got " + Twine(value));
    if (std::abs(window.before) >= most || std::abs(window.after) >= most)
      return call.refuse("attribute 'pads': expected numbers below 2^31");
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      if (!spatial[dim].isConstant())
        return call.refuse("attribute 'auto_pad': expected sizes known before it runs");
      int64_t size = spatial[dim].constant(), out = llvm::divideCeil(size, window.stride);
      int64_t all = std::max<int64_t>((out - 1) * window.stride + (window.taps - 1) * window.dilation + 1 - size, 0);
      window.before = automatic == "SAME_UPPER" ? all / 2 : all - all / 2;
      window.after = all - window.before;
    } else if (automatic != "NOTSET" && automatic != "VALID") {
      return call.refuse("attribute 'auto_pad': expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, got '" + automatic + "'");
    }
    windows.push_back(window);
  }
  return windows;
}

static Extent outputSize(Extents &x, const Extent &size, const Window &window) {
  Extent room = x.add(size, window.before + window.after - (window.taps - 1) * window.dilation - 1);
  return x.maximum(x.add(x.divide(room, window.stride), 1), 0);
}

static LogicalResult convolution(Call &call) {
  Emitter &e = call.e;
  const Tensor &input = call.in(0), &weight = call.in(1);
  int64_t groups = call.integer("group", 1), rank = input.rank() - 2;
  if (rank < 1 || weight.rank() != input.rank() || !weight.isStatic() || failed(call.sameType(0, 1)))
    return call.refuse("expected an input [batch, channels, ...] and weights of as many dimensions, of known sizes, got " +
                       spelled(input.shape) + " and " + spelled(weight.shape));
  SmallVector<int64_t> taps;
  for (const Extent &size : ArrayRef<Extent>(weight.shape).drop_front(2))
    taps.push_back(size.constant());
  std::vector<int64_t> declared = call.integers("kernel_shape");
  if (!declared.empty() && ArrayRef<int64_t>(declared) != ArrayRef<int64_t>(taps))
    return call.refuse("attribute 'kernel_shape': expected the weights' " + spelled(ArrayRef<Extent>(weight.shape).drop_front(2)));
  int64_t out = weight.shape[0].constant(), perGroup = weight.shape[1].constant();
  if (groups < 1 || out % groups || (input.shape[1].isConstant() && input.shape[1].constant() != perGroup * groups))
    return call.refuse("attribute 'group': expected " + Twine(groups) + " groups to divide the channels, got " +
                       spelled(input.shape) + " and " + spelled(weight.shape));
  e.requireEqual(input.shape[1], perGroup * groups, call.place() + ": expected weights for every channel");
  ArrayRef<Extent> spatial = ArrayRef<Extent>(input.shape).drop_front(2);
  auto windows = readWindows(call, spatial, taps);
  if (failed(windows))
    return failure();
  // Loops: batch, channel, places; channels of the group, taps.
  Shape loops = {input.shape[0], out};
  for (auto [size, window] : llvm::zip(spatial, *windows))
    loops.push_back(outputSize(e.extents, size, window));
  loops.push_back(perGroup);
  Subscripts ofWeight = {1, static_cast<int>(rank) + 2};
  for (int64_t dim = 0; dim < rank; ++dim) {
    loops.push_back(taps[dim]);
    ofWeight.push_back(static_cast<int>(rank + 3 + dim));
  }
  Value source = e.value(input);
  SmallVector<Value> sizes;
  for (const Extent &size : spatial) {
    sizes.push_back(e.extents.value(size));
    if (!size.isConstant() || size.is(0)) // beyond the edges nothing counts, but something is read
      e.require(Scalars(e.b).less(e.extents.value(0), sizes.back()), call.place() + ": expected an input that is not empty");
  }
  DataType type = wide(input.type);
  Tensor result = e.loop({weight}, {ofWeight}, loops, rank + 2, type, 0, [&](Scalars &s, ValueRange x) {
    Scalars indices(s.b);
    auto index = [&](int64_t loop) -> Value { return linalg::IndexOp::create(s.b, loop); };
    Value group = arith::DivUIOp::create(s.b, index(1), indices.index(out / groups));
    SmallVector<Value> at = {index(0), indices.add(indices.multiply(group, indices.index(perGroup)), index(rank + 2))};
    Value isInside;
    for (auto [dim, window] : llvm::enumerate(*windows)) {
      Value place = indices.add(indices.multiply(index(2 + dim), indices.index(window.stride)),
                                indices.multiply(index(rank + 3 + dim), indices.index(window.dilation)));
      place = indices.subtract(place, indices.index(window.before));
      Value inside = indices.both(indices.lessOrEqual(indices.index(0), place), indices.less(place, sizes[dim]));
      isInside = isInside ? indices.both(isInside, inside) : inside;
      at.push_back(indices.select(inside, place, indices.index(0)));
    }
    Value element = s.convert(tensor::ExtractOp::create(s.b, source, at), input.type, type);
    Value product = s.multiply(element, s.convert(x[0], weight.type, type));
    return s.select(isInside, s.add(x[1], product), x[1]);
  });
  SmallVector<Tensor, 2> inputs = {result};
  if (call.has(2)) {
    if (call.in(2).shape != Shape{out})
      return call.refuse("bias: expected " + Twine(out) + " numbers, got " + spelled(call.in(2).shape));
    Shape column(rank + 1, Extent(1));
    column[0] = out;
    inputs.push_back(e.reshape(call.in(2), column));
  }
  return call.elementwise(
      inputs, [&](Scalars &s, ValueRange x) { return inputs.size() > 1 ? s.add(x[0], x[1]) : x[0]; }, input.type);
}

ArrayRef<Operator> onnx::convolutionOperators() {
  static constexpr Operator operators[] = {{"Conv", convolution, 2, 3}};
  return operators;
}
