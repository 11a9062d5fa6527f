// Values of tensors in IR: constants, weights, known elements; and what holds only when it runs.
#include "importers/onnx/Emitter.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

std::string onnx::spelled(ArrayRef<Extent> shape) {
  std::string text;
  for (const Extent &extent : shape)
    text += (text.empty() ? "" : "x") + (extent.isConstant() ? std::to_string(extent.constant()) : "?");
  return text.empty() ? "a scalar" : text;
}

RankedTensorType Emitter::tensorType(ArrayRef<Extent> shape, DataType type) {
  return RankedTensorType::get(llvm::map_to_vector(shape, [](const Extent &extent) { return extent.dim(); }), elementType(type));
}

Tensor Emitter::tensor(Value value, DataType type, ArrayRef<Extent> shape) {
  Tensor result;
  result.type = type;
  result.shape.assign(shape.begin(), shape.end());
  RankedTensorType expected = tensorType(shape, type);
  result.value = value.getType() == expected ? value : Value(tensor::CastOp::create(b, expected, value));
  return result;
}

Tensor Emitter::fromValue(Value value, DataType type) {
  Shape shape;
  for (auto [axis, dim] : llvm::enumerate(cast<RankedTensorType>(value.getType()).getShape()))
    shape.push_back(ShapedType::isDynamic(dim) ? extents.of(tensor::DimOp::create(b, value, axis), true) : Extent(dim));
  return tensor(value, type, shape);
}

Tensor Emitter::known(ArrayRef<Extent> elements, ArrayRef<Extent> shape, DataType type) {
  Tensor result;
  result.type = type;
  result.shape.assign(shape.begin(), shape.end());
  result.elements.emplace(elements.begin(), elements.end());
  return result;
}

Tensor Emitter::filled(ArrayRef<Extent> shape, DataType type, double number) {
  RankedTensorType ranked = tensorType(shape, type);
  Value empty = tensor::EmptyOp::create(b, ranked, extents.dynamicSizes(shape));
  Value element = Scalars(b, isUnsigned(type)).number(ranked.getElementType(), number);
  return tensor(linalg::FillOp::create(b, element, empty).getResult(0), type, shape);
}

Value Emitter::value(const Tensor &tensor) {
  if (tensor.value)
    return tensor.value;
  if (tensor.stored)
    return weights.get(b, *tensor.stored);
  RankedTensorType type = tensorType(tensor.shape, tensor.type);
  unsigned bits = type.getElementTypeBitWidth();
  if (llvm::all_of(*tensor.elements, [](const Extent &element) { return element.isConstant(); })) {
    auto elements = llvm::map_to_vector(*tensor.elements, [&](const Extent &element) {
      return llvm::APInt(bits, static_cast<uint64_t>(element.constant()), /*isSigned=*/true, /*implicitTrunc=*/true);
    });
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, elements));
  }
  Scalars scalars(b);
  auto elements = llvm::map_to_vector(*tensor.elements, [&](const Extent &element) -> Value {
    Value index = extents.value(element);
    if (tensor.type == DataType::Bool)
      return scalars.negation(scalars.equal(index, scalars.index(0)));
    return arith::IndexCastOp::create(b, type.getElementType(), index);
  });
  return tensor::FromElementsOp::create(b, type, elements);
}

SmallVector<Extent, 4> Emitter::integers(const Tensor &tensor) {
  if (tensor.elements)
    return *tensor.elements;
  Value source = value(tensor);
  Scalars scalars(b, isUnsigned(tensor.type));
  SmallVector<Extent, 4> result;
  for (int64_t index = 0, count = tensor.count(); index < count; ++index) {
    SmallVector<Value> at;
    for (int64_t rest = index, axis = tensor.rank() - 1; axis >= 0; --axis) {
      at.insert(at.begin(), scalars.index(rest % tensor.shape[axis].constant()));
      rest /= tensor.shape[axis].constant();
    }
    result.push_back(extents.of(scalars.toIndex(tensor::ExtractOp::create(b, source, at)), false));
  }
  return result;
}

Value Emitter::scalar(const Tensor &tensor) { return tensor::ExtractOp::create(b, value(reshape(tensor, {})), ValueRange{}); }

void Emitter::require(Value condition, const Twine &message) { cf::AssertOp::create(b, condition, b.getStringAttr(message)); }

void Emitter::requireEqual(const Extent &a, const Extent &b_, const Twine &message) {
  if (a == b_ || (a.isConstant() && b_.isConstant()))
    return;
  require(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, extents.value(a), extents.value(b_)), message);
}

Value Emitter::rows(const Tensor &input, int64_t width, DataType type) {
  Extent count = extents.divide(extents.product(input.shape), width);
  Value matrix = value(cast(reshape(input, {count, width}), type));
  auto rowsType = RankedTensorType::get({ShapedType::kDynamic, width}, elementType(type));
  return matrix.getType() == rowsType ? matrix : Value(tensor::CastOp::create(b, rowsType, matrix));
}

Tensor Emitter::fromRows(Value rows, ArrayRef<Extent> shape, DataType type) {
  int64_t width = moe::widthOf(rows.getType());
  Extent count = extents.divide(extents.product(shape), width);
  return cast(reshape(tensor(rows, DataType::Float32, {count, width}), shape), type);
}
