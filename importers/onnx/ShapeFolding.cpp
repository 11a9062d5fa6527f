// Exporters compute shapes with the same operators as everything else; here those become extents, so that shapes of results are
// known as well as can be.
#include "importers/onnx/ShapeFolding.h"
#include "importers/onnx/operators/Axes.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

using Elements = SmallVector<Extent, 4>;
constexpr int64_t most = 64;

bool isFoldable(const Tensor &tensor) {
  return tensor.elements && (tensor.type == DataType::Int64 || tensor.type == DataType::Int32 || tensor.type == DataType::Bool);
}

/// The sizes of a static shape.
std::optional<SmallVector<int64_t>> staticSizes(ArrayRef<Extent> shape) {
  SmallVector<int64_t> sizes;
  int64_t count = 1;
  for (const Extent &extent : shape) {
    if (!extent.isConstant() || extent.constant() < 0 || extent.constant() > most || (count *= extent.constant()) > most)
      return std::nullopt;
    sizes.push_back(extent.constant());
  }
  return sizes;
}

using BinaryFunction = std::optional<Extent> (*)(Extents &, const Extent &, const Extent &);

std::optional<Extent> ifKnown(const Extent &a, const Extent &b, bool result) {
  return a.isConstant() && b.isConstant() ? std::optional<Extent>(result) : std::nullopt;
}

BinaryFunction binaryFunction(StringRef type) {
  return llvm::StringSwitch<BinaryFunction>(type)
      .Case("Add", [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> { return e.add(a, b); })
      .Case("Sub", [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> { return e.subtract(a, b); })
      .Case("Mul", [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> { return e.multiply(a, b); })
      .Case("Div", [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> { return e.divide(a, b); })
      .Case("Min", [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> { return e.minimum(a, b); })
      .Case("Max", [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> { return e.maximum(a, b); })
      .Case("Mod",
            [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> {
              return e.isNotNegative(a) && e.isNotNegative(b) ? std::optional<Extent>(e.remainder(a, b)) : std::nullopt;
            })
      .Case("Equal",
            [](Extents &e, const Extent &a, const Extent &b) -> std::optional<Extent> {
              if (a == b)
                return Extent(1);
              if (a.isConstant() && b.isConstant())
                return Extent(0);
              // No size is -1.
              bool never = (e.isNotNegative(a) && b.isConstant() && b.constant() < 0) ||
                           (e.isNotNegative(b) && a.isConstant() && a.constant() < 0);
              return never ? std::optional<Extent>(0) : std::nullopt;
            })
      .Case("Less", [](Extents &, const Extent &a, const Extent &b) { return ifKnown(a, b, a.constant() < b.constant()); })
      .Case("LessOrEqual", [](Extents &, const Extent &a, const Extent &b) { return ifKnown(a, b, a.constant() <= b.constant()); })
      .Case("Greater", [](Extents &, const Extent &a, const Extent &b) { return ifKnown(a, b, a.constant() > b.constant()); })
      .Case("GreaterOrEqual",
            [](Extents &, const Extent &a, const Extent &b) { return ifKnown(a, b, a.constant() >= b.constant()); })
      .Case("And", [](Extents &, const Extent &a, const Extent &b) { return ifKnown(a, b, a.constant() && b.constant()); })
      .Case("Or", [](Extents &, const Extent &a, const Extent &b) { return ifKnown(a, b, a.constant() || b.constant()); })
      .Default(nullptr);
}

/// The element of a scalar or vector that goes with `index` of a longer one.
const Extent &at(const Tensor &tensor, size_t index) { return (*tensor.elements)[tensor.elements->size() == 1 ? 0 : index]; }

/// Of scalars and vectors alone: the length and the rank of what they broadcast to.
std::optional<std::pair<size_t, bool>> commonLength(Call &call) {
  size_t length = 1;
  bool isVector = false;
  for (size_t index = 0; index < call.inputCount(); ++index) {
    if (!call.has(index) || !isFoldable(call.in(index)) || call.in(index).rank() > 1)
      return std::nullopt;
    size_t own = call.in(index).elements->size();
    isVector |= call.in(index).rank() == 1;
    if (own != 1 && length != 1 && own != length)
      return std::nullopt;
    length = own == 1 ? length : own;
  }
  return std::pair(length, isVector);
}

LogicalResult give(Call &call, ArrayRef<Extent> elements, ArrayRef<Extent> shape, DataType type) {
  call.give(0, call.e.known(elements, shape, type));
  return success();
}

LogicalResult giveLike(Call &call, const Elements &elements, bool isVector, DataType type) {
  Shape shape;
  if (isVector)
    shape.push_back(static_cast<int64_t>(elements.size()));
  return give(call, elements, shape, type);
}

LogicalResult foldBinary(Call &call, BinaryFunction function, bool isPredicate) {
  auto common = commonLength(call);
  if (!common || call.inputCount() < 1)
    return failure();
  Elements result;
  for (size_t index = 0; index < common->first; ++index) {
    Extent accumulated = at(call.in(0), index);
    for (size_t input = 1; input < call.inputCount(); ++input) {
      std::optional<Extent> next = function(call.e.extents, accumulated, at(call.in(input), index));
      if (!next || call.in(input).type != call.in(0).type)
        return failure();
      accumulated = *next;
    }
    result.push_back(accumulated);
  }
  return giveLike(call, result, common->second, isPredicate ? DataType::Bool : call.in(0).type);
}

LogicalResult foldWhere(Call &call) {
  auto common = commonLength(call);
  if (!common || call.inputCount() != 3 || call.in(1).type != call.in(2).type)
    return failure();
  Elements result;
  for (size_t index = 0; index < common->first; ++index) {
    const Extent &condition = at(call.in(0), index);
    if (!condition.isConstant())
      return failure();
    result.push_back(at(call.in(condition.constant() ? 1 : 2), index));
  }
  return giveLike(call, result, common->second, call.in(1).type);
}

LogicalResult foldShapeOf(Call &call) {
  const Tensor &input = call.in(0);
  auto clamp = [&](int64_t value) { return std::clamp<int64_t>(value < 0 ? value + input.rank() : value, 0, input.rank()); };
  int64_t start = clamp(call.integer("start", 0)), end = clamp(call.integer("end", input.rank()));
  Elements elements;
  for (int64_t axis = start; axis < end; ++axis)
    elements.push_back(input.shape[axis]);
  return giveLike(call, elements, true, DataType::Int64);
}

LogicalResult foldGather(Call &call) {
  const Tensor &data = call.in(0), &indices = call.in(1);
  if (!isFoldable(data) || !isFoldable(indices) || data.rank() != 1)
    return failure();
  auto count = static_cast<int64_t>(data.elements->size());
  Elements result;
  for (const Extent &index : *indices.elements) {
    if (!index.isConstant() || index.constant() < -count || index.constant() >= count)
      return failure();
    result.push_back((*data.elements)[index.constant() < 0 ? index.constant() + count : index.constant()]);
  }
  return give(call, result, indices.shape, data.type);
}

LogicalResult foldConcat(Call &call) {
  Elements result;
  for (size_t index = 0; index < call.inputCount(); ++index) {
    if (!call.has(index) || !isFoldable(call.in(index)) || call.in(index).rank() != 1 || call.in(index).type != call.in(0).type)
      return failure();
    result.append(*call.in(index).elements);
  }
  return giveLike(call, result, true, call.in(0).type);
}

LogicalResult foldSlice(Call &call) {
  const Tensor &data = call.in(0);
  if (!isFoldable(data) || data.rank() != 1 || call.inputCount() < 3)
    return failure();
  std::array<int64_t, 5> arguments = {0, 0, 0, 0, 1};
  for (size_t index = 1; index < call.inputCount(); ++index) {
    if (!call.has(index))
      continue;
    const Tensor &input = call.in(index);
    if (!isFoldable(input) || input.elements->size() != 1 || !input.elements->front().isConstant())
      return failure();
    arguments[index] = input.elements->front().constant();
  }
  auto count = static_cast<int64_t>(data.elements->size());
  int64_t step = arguments[4];
  if (step == 0 || (arguments[3] != 0 && arguments[3] != -1))
    return failure();
  auto clamp = [&](int64_t value, int64_t least, int64_t greatest) {
    return std::clamp(value < 0 && value >= -count ? value + count : value, least, greatest);
  };
  int64_t start = step > 0 ? clamp(arguments[1], 0, count) : clamp(arguments[1], -1, count - 1);
  int64_t end = step > 0 ? clamp(arguments[2], 0, count) : clamp(arguments[2], -1, count - 1);
  Elements result;
  step = std::clamp<int64_t>(step, -most - 1, most + 1);
  for (int64_t index = start; step > 0 ? index < end : index > end; index += step)
    result.push_back((*data.elements)[index]);
  return giveLike(call, result, true, data.type);
}

LogicalResult foldReshape(Call &call) {
  if (!isFoldable(call.in(0)))
    return failure();
  FailureOr<Shape> shape = reshapedShape(call);
  if (failed(shape) || !staticSizes(*shape))
    return failure();
  return give(call, *call.in(0).elements, *shape, call.in(0).type);
}

LogicalResult foldCast(Call &call) {
  auto type = static_cast<DataType>(call.integer("to", 0));
  if (!isFoldable(call.in(0)) || (type != DataType::Int64 && type != DataType::Int32))
    return failure();
  return give(call, *call.in(0).elements, call.in(0).shape, type);
}

LogicalResult foldRange(Call &call) {
  std::array<int64_t, 3> values;
  for (auto [index, value] : llvm::enumerate(values)) {
    if (!call.has(index) || !isFoldable(call.in(index)) || call.in(index).elements->size() != 1 ||
        !call.in(index).elements->front().isConstant())
      return failure();
    value = call.in(index).elements->front().constant();
  }
  auto [start, limit, delta] = values;
  if (delta == 0 || std::abs(start) > INT32_MAX || std::abs(limit) > INT32_MAX || std::abs(delta) > INT32_MAX)
    return failure();
  Elements result;
  for (int64_t value = start; delta > 0 ? value < limit : value > limit; value += delta) {
    if (result.size() == most)
      return failure();
    result.push_back(value);
  }
  return giveLike(call, result, true, call.in(0).type);
}

LogicalResult foldExpand(Call &call) {
  if (!isFoldable(call.in(0)) || !isFoldable(call.in(1)) || call.in(0).elements->size() != 1 || call.in(0).rank() > 1)
    return failure();
  auto sizes = staticSizes(*call.in(1).elements);
  if (!sizes)
    return failure();
  int64_t count = 1;
  for (int64_t size : *sizes)
    count *= size;
  return give(call, Elements(count, call.in(0).elements->front()), *call.in(1).elements, call.in(0).type);
}

LogicalResult foldConstantOfShape(Call &call) {
  const StoredTensor *value = call.tensor("value");
  if (!value || !isFoldable(call.in(0)) || (value->type != DataType::Int64 && value->type != DataType::Bool))
    return failure();
  auto sizes = staticSizes(*call.in(0).elements);
  std::optional<Elements> element = call.e.weights.integers(*value);
  if (!sizes || !element || element->size() != 1)
    return failure();
  int64_t count = 1;
  for (int64_t size : *sizes)
    count *= size;
  return give(call, Elements(count, element->front()), *call.in(0).elements, value->type);
}

LogicalResult foldProduct(Call &call) {
  if (!isFoldable(call.in(0)) || call.in(0).rank() != 1 || call.inputCount() > 1)
    return failure();
  bool keep = call.flag("keepdims", true);
  for (int64_t axis : call.integers("axes"))
    if (axis != 0 && axis != -1)
      return failure();
  call.leaveAside("noop_with_empty_axes");
  return giveLike(call, {call.e.extents.product(*call.in(0).elements)}, keep, call.in(0).type);
}

LogicalResult foldNegation(Call &call) {
  if (!isFoldable(call.in(0)) || call.in(0).type == DataType::Bool)
    return failure();
  Elements result;
  for (const Extent &element : *call.in(0).elements)
    result.push_back(call.e.extents.multiply(element, -1));
  return give(call, result, call.in(0).shape, call.in(0).type);
}

LogicalResult foldNot(Call &call) {
  if (!isFoldable(call.in(0)))
    return failure();
  Elements result;
  for (const Extent &element : *call.in(0).elements) {
    if (!element.isConstant())
      return failure();
    result.push_back(element.is(0) ? 1 : 0);
  }
  return give(call, result, call.in(0).shape, DataType::Bool);
}

} // namespace

LogicalResult onnx::foldShape(Call &call) {
  if (call.inputCount() == 0 || !call.has(0))
    return failure();
  StringRef type = call.type();
  if (type == "Shape")
    return foldShapeOf(call);
  if (type == "Size")
    return give(call, {call.e.extents.product(call.in(0).shape)}, {}, DataType::Int64);
  if (!call.in(0).elements)
    return failure();
  if (BinaryFunction function = binaryFunction(type)) {
    bool isPredicate = llvm::is_contained({"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or"}, type);
    bool isArithmetic = !isPredicate && call.in(0).type == DataType::Bool;
    return isArithmetic || call.hasAttribute("fmod") || call.hasAttribute("axis") ? failure()
                                                                                  : foldBinary(call, function, isPredicate);
  }
  using Fold = LogicalResult (*)(Call &);
  Fold fold = llvm::StringSwitch<Fold>(type)
                  .Case("Where", foldWhere)
                  .Case("Gather", [](Call &c) { return c.has(1) ? foldGather(c) : failure(); })
                  .Case("Concat", foldConcat)
                  .Case("Slice", foldSlice)
                  .Cases({"Reshape", "Squeeze", "Unsqueeze", "Flatten"}, foldReshape)
                  .Case("Cast", foldCast)
                  .Case("Range", foldRange)
                  .Case("Expand", [](Call &c) { return c.has(1) ? foldExpand(c) : failure(); })
                  .Case("ConstantOfShape", foldConstantOfShape)
                  .Case("ReduceProd", foldProduct)
                  .Case("Neg", foldNegation)
                  .Case("Not", foldNot)
                  .Default(nullptr);
  return fold ? fold(call) : failure();
}
