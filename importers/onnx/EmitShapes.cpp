// Ops of the tensor dialect: the same elements in another shape, order or type.
#include "importers/onnx/Emitter.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {
/// Dimensions of a tensor that together are as many elements as some of another.
struct Group {
  ReassociationIndices from, to;
};
} // namespace

/// The smallest groups that match; nothing where that cannot be known.
static std::optional<SmallVector<Group>> match(Extents &extents, ArrayRef<Extent> from, ArrayRef<Extent> to) {
  SmallVector<Group> groups;
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    Group &group = groups.emplace_back();
    Extent a = from[i], b = to[j];
    group.from.push_back(static_cast<int64_t>(i++));
    group.to.push_back(static_cast<int64_t>(j++));
    while (a != b) {
      if (i < from.size() && extents.isMultiple(b, a)) {
        a = extents.multiply(a, from[i]);
        group.from.push_back(static_cast<int64_t>(i++));
      } else if (j < to.size() && extents.isMultiple(a, b)) {
        b = extents.multiply(b, to[j]);
        group.to.push_back(static_cast<int64_t>(j++));
      } else if (i < from.size() && j < to.size() && a.isConstant() && b.isConstant()) {
        bool growFrom = a.constant() < b.constant();
        Extent &side = growFrom ? a : b;
        side = extents.multiply(side, growFrom ? from[i] : to[j]);
        if (growFrom)
          group.from.push_back(static_cast<int64_t>(i++));
        else
          group.to.push_back(static_cast<int64_t>(j++));
      } else {
        return std::nullopt;
      }
    }
  }
  if (groups.empty() && !(from.empty() && to.empty()))
    groups.emplace_back();
  for (; i < from.size(); ++i)
    if (from[i].is(1))
      groups.back().from.push_back(static_cast<int64_t>(i));
    else
      return std::nullopt;
  for (; j < to.size(); ++j)
    if (to[j].is(1))
      groups.back().to.push_back(static_cast<int64_t>(j));
    else
      return std::nullopt;
  return groups;
}

Tensor Emitter::reshape(const Tensor &input, ArrayRef<Extent> shape) {
  if (ArrayRef<Extent>(input.shape) == shape)
    return input;
  if (input.elements)
    return known(*input.elements, shape, input.type);
  Value source = value(input);
  auto isZero = [](const Extent &extent) { return extent.is(0); };
  if (llvm::any_of(shape, isZero) || llvm::any_of(input.shape, isZero)) // nothing to keep
    return tensor(tensor::EmptyOp::create(b, tensorType(shape, input.type), extents.dynamicSizes(shape)), input.type, shape);
  std::optional<SmallVector<Group>> groups = match(extents, input.shape, shape);
  if (!groups) {
    requireEqual(extents.product(input.shape), extents.product(shape), "Reshape to another number of elements");
    Value sizes = value(cast(known(shape, {Extent(static_cast<int64_t>(shape.size()))}), DataType::Int64));
    return tensor(tensor::ReshapeOp::create(b, tensorType(shape, input.type), source, sizes), input.type, shape);
  }
  Shape between;
  SmallVector<ReassociationIndices> collapsed, expanded;
  for (const Group &group : *groups) {
    Extent all(1);
    for (int64_t axis : group.from)
      all = extents.multiply(all, input.shape[axis]);
    between.push_back(all);
    collapsed.push_back(group.from);
    expanded.push_back(group.to);
  }
  bool oneScalar = input.shape.empty() || shape.empty(); // which has no groups
  if (oneScalar)
    collapsed.clear();
  if (shape.empty())
    return tensor(tensor::CollapseShapeOp::create(b, tensorType(shape, input.type), source, collapsed), input.type, shape);
  if (input.shape.empty())
    return tensor(tensor::ExpandShapeOp::create(b, tensorType(shape, input.type), source, collapsed), input.type, shape);
  if (between.size() != input.shape.size())
    source = tensor::CollapseShapeOp::create(b, tensorType(between, input.type), source, collapsed);
  if (between.size() != shape.size())
    source = tensor::ExpandShapeOp::create(b, tensorType(shape, input.type), source, expanded, extents.sizes(shape));
  return tensor(source, input.type, shape);
}

Tensor Emitter::transpose(const Tensor &input, ArrayRef<int64_t> permutation) {
  bool isIdentity = true;
  Shape shape;
  for (auto [index, axis] : llvm::enumerate(permutation)) {
    isIdentity &= axis == static_cast<int64_t>(index);
    shape.push_back(input.shape[axis]);
  }
  if (isIdentity)
    return input;
  Value empty = tensor::EmptyOp::create(b, tensorType(shape, input.type), extents.dynamicSizes(shape));
  return tensor(linalg::TransposeOp::create(b, value(input), empty, permutation)->getResult(0), input.type, shape);
}

Tensor Emitter::slice(const Tensor &input, ArrayRef<Extent> offsets, ArrayRef<Extent> sizes) {
  if (ArrayRef<Extent>(input.shape) == sizes)
    return input;
  auto isZero = [](const Extent &size) { return size.is(0); };
  if (llvm::any_of(sizes, isZero) || llvm::any_of(input.shape, isZero)) // whose offsets may lie at the end
    return tensor(tensor::EmptyOp::create(b, tensorType(sizes, input.type), extents.dynamicSizes(sizes)), input.type, sizes);
  SmallVector<OpFoldResult> strides(input.rank(), b.getIndexAttr(1));
  Value cut = tensor::ExtractSliceOp::create(b, tensorType(sizes, input.type), value(input), extents.sizes(offsets),
                                             extents.sizes(sizes), strides);
  return tensor(cut, input.type, sizes);
}

Tensor Emitter::sliceAxis(const Tensor &input, int64_t axis, const Extent &offset, const Extent &size) {
  Shape offsets(input.rank(), Extent(0)), sizes = input.shape;
  offsets[axis] = offset;
  sizes[axis] = size;
  return slice(input, offsets, sizes);
}

Tensor Emitter::concat(ArrayRef<Tensor> inputs, int64_t axis) {
  Shape shape = inputs.front().shape;
  for (const Tensor &input : inputs.drop_front())
    shape[axis] = extents.add(shape[axis], input.shape[axis]);
  if (inputs.size() == 1)
    return inputs.front();
  // Sizes that must agree do so in the types, too.
  SmallVector<Value> values;
  for (const Tensor &input : inputs) {
    Shape common = shape;
    common[axis] = input.shape[axis];
    values.push_back(tensor(value(input), input.type, common).value);
  }
  return tensor(tensor::ConcatOp::create(b, axis, values), inputs.front().type, shape);
}

Tensor Emitter::cast(const Tensor &input, DataType type, bool saturate) {
  if (input.type == type)
    return input;
  bool wasWhole = isInteger(input.type) || input.type == DataType::Bool;
  if (input.elements && wasWhole && (type == DataType::Int64 || type == DataType::Int32))
    return known(*input.elements, input.shape, type);
  Subscripts all;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    all.push_back(static_cast<int>(axis));
  return loop({input}, {all}, input.shape, input.rank(), type, std::nullopt,
              [&](Scalars &s, ValueRange x) { return s.convert(x[0], input.type, type, saturate); });
}
