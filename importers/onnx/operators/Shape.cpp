// The same elements in other shapes and orders.
#include "importers/onnx/Operators.h"
#include "importers/onnx/ShapeFolding.h"
#include "importers/onnx/operators/Axes.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

static LogicalResult identity(Call &call) {
  call.give(0, call.in(0));
  return success();
}

/// Dropout outside of training.
static LogicalResult dropout(Call &call) {
  call.leaveAside("seed");
  call.leaveAside("ratio");
  if (call.has(2) && !(call.in(2).elements && call.in(2).elements->front().is(0)))
    return call.refuse("training_mode: expected it to be false");
  call.give(0, call.in(0));
  call.give(1, call.e.filled(call.in(0).shape, DataType::Bool, 1));
  return success();
}

static LogicalResult reshape(Call &call) {
  FailureOr<Shape> shape = reshapedShape(call);
  if (failed(shape))
    return failure();
  call.give(0, call.e.reshape(call.in(0), *shape));
  return success();
}

static LogicalResult transpose(Call &call) {
  int64_t rank = call.in(0).rank();
  std::vector<int64_t> permutation = call.integers("perm");
  if (!call.hasAttribute("perm"))
    for (int64_t axis = rank; axis-- > 0;)
      permutation.push_back(axis);
  SmallVector<bool> seen(rank, false);
  for (int64_t axis : permutation) {
    if (axis < 0 || axis >= rank || seen[axis])
      return call.refuse("attribute 'perm': expected a permutation of " + Twine(rank) + " axes");
    seen[axis] = true;
  }
  if (static_cast<int64_t>(permutation.size()) != rank)
    return call.refuse("attribute 'perm': expected " + Twine(rank) + " axes, got " + Twine(permutation.size()));
  call.give(0, call.e.transpose(call.in(0), permutation));
  return success();
}

static LogicalResult expand(Call &call) {
  auto sizes = integersOf(call, "shape", 1);
  if (failed(sizes) || !*sizes)
    return failure();
  Tensor target; // whose shape takes part in broadcasting
  target.type = DataType::Bool;
  target.shape.assign((*sizes)->begin(), (*sizes)->end());
  for (Extent &size : target.shape)
    if (size.isConstant() && size.constant() < 0)
      return call.refuse("shape: expected sizes of at least 0, got " + Twine(size.constant()));
    else
      size = call.e.extents.maximum(size, 0);
  FailureOr<Shape> shape = call.broadcastShape({call.in(0), target});
  if (failed(shape))
    return failure();
  call.give(0, call.e.expand(call.in(0), *shape));
  return success();
}

static LogicalResult tile(Call &call) {
  const Tensor &input = call.in(0);
  auto repeats = integersOf(call, "repeats", 1);
  if (failed(repeats) || !*repeats || static_cast<int64_t>((*repeats)->size()) != input.rank())
    return call.refuse("repeats: expected a number for each of " + Twine(input.rank()) + " dimensions");
  Shape shape;
  for (auto [size, times] : llvm::zip(input.shape, **repeats))
    shape.push_back(call.e.extents.multiply(size, call.e.extents.maximum(times, 0)));
  Value source = call.e.value(input);
  SmallVector<Value> sizes;
  for (const Extent &size : input.shape)
    sizes.push_back(call.e.extents.value(size));
  call.give(0, call.e.generate(shape, input.type, [&](Scalars &s, ValueRange indices) -> Value {
    SmallVector<Value> at;
    for (auto [index, size] : llvm::zip(indices, sizes))
      at.push_back(arith::RemUIOp::create(s.b, index, size));
    return tensor::ExtractOp::create(s.b, source, at);
  }));
  return success();
}

static LogicalResult concat(Call &call) {
  SmallVector<Tensor, 2> inputs;
  const Tensor &first = call.in(0);
  FailureOr<int64_t> axis = call.axis(call.integer("axis", 0), first.rank());
  if (failed(axis))
    return failure();
  for (size_t index = 0; index < call.inputCount(); ++index) {
    if (!call.has(index) || call.in(index).rank() != first.rank() || call.in(index).type != first.type)
      return call.refuse("expected inputs of one type and rank");
    for (int64_t dim = 0; dim < first.rank(); ++dim) {
      const Extent &a = first.shape[dim], &b = call.in(index).shape[dim];
      if (dim == *axis || a == b)
        continue;
      if (a.isConstant() && b.isConstant())
        return call.refuse("expected sizes that agree, got " + spelled(first.shape) + " and " + spelled(call.in(index).shape));
      call.e.requireEqual(a, b, call.place() + ": sizes of inputs differ");
    }
    inputs.push_back(call.in(index));
  }
  call.give(0, call.e.concat(inputs, *axis));
  return success();
}

/// Blocks of the depth to places in the plane, or back.
static LogicalResult depthAndSpace(Call &call) {
  const Tensor &input = call.in(0);
  int64_t block = call.integer("blocksize", 0);
  bool toSpace = call.type() == "DepthToSpace", columnsFirst = !toSpace || call.text("mode", "DCR") == "DCR";
  if (input.rank() != 4 || block < 1)
    return call.refuse("expected 4 dimensions and a blocksize of at least 1");
  Extents &x = call.e.extents;
  const Shape &size = input.shape;
  if (toSpace) {
    Extent depth = x.divide(size[1], block * block);
    Shape split = columnsFirst ? Shape{size[0], block, block, depth, size[2], size[3]}
                               : Shape{size[0], depth, block, block, size[2], size[3]};
    Tensor turned = call.e.transpose(call.e.reshape(input, split),
                                     columnsFirst ? ArrayRef<int64_t>{0, 3, 4, 1, 5, 2} : ArrayRef<int64_t>{0, 1, 4, 2, 5, 3});
    call.give(0, call.e.reshape(turned, Shape{size[0], depth, x.multiply(size[2], block), x.multiply(size[3], block)}));
    return success();
  }
  Extent height = x.divide(size[2], block), width = x.divide(size[3], block);
  Tensor split = call.e.reshape(input, Shape{size[0], size[1], height, block, width, block});
  Tensor turned = call.e.transpose(split, {0, 3, 5, 1, 2, 4});
  call.give(0, call.e.reshape(turned, Shape{size[0], x.multiply(size[1], block * block), height, width}));
  return success();
}

ArrayRef<Operator> onnx::shapeOperators() {
  static constexpr Operator operators[] = {{"Identity", identity, 1, 1, 1, 1, 1000, true},
                                           {"Dropout", dropout, 1, 3, 2},
                                           {"Reshape", reshape, 2, 2},
                                           {"Flatten", reshape, 1, 1},
                                           {"Squeeze", reshape, 1, 2},
                                           {"Unsqueeze", reshape, 1, 2},
                                           {"Transpose", transpose, 1, 1},
                                           {"Expand", expand, 2, 2},
                                           {"Tile", tile, 2, 2},
                                           {"Concat", concat, 1, anyNumber},
                                           {"Shape", foldShape, 1, 1},
                                           {"Size", foldShape, 1, 1},
                                           {"DepthToSpace", depthAndSpace, 1, 1},
                                           {"SpaceToDepth", depthAndSpace, 1, 1}};
  return operators;
}
