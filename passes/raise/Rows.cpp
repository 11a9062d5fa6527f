// Tensors of any rank as the rows that moe ops take, and back.
#include "passes/raise/Rows.h"
#include "passes/raise/Sizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;
using namespace moec;

int64_t passes::rowWidth(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() < 2 || !isa<FloatType>(type.getElementType()) || type.isDynamicDim(unsigned(type.getRank()) - 1))
    return 0;
  return type.getShape().back();
}

/// The dimensions but the last as one.
static SmallVector<ReassociationIndices> rowsAndColumns(int64_t rank) {
  ReassociationIndices leading;
  llvm::append_range(leading, llvm::seq<int64_t>(0, rank - 1));
  return {leading, ReassociationIndices{rank - 1}};
}

/// `value` with elements of another float type.
static Value withElements(OpBuilder &builder, Location loc, Value value, Type element) {
  auto type = cast<RankedTensorType>(value.getType());
  unsigned from = type.getElementTypeBitWidth(), to = element.getIntOrFloatBitWidth();
  RankedTensorType result = type.clone(element);
  if (type == result)
    return value;
  return from < to ? arith::ExtFOp::create(builder, loc, result, value).getResult()
                   : arith::TruncFOp::create(builder, loc, result, value).getResult();
}

Value passes::toRows(OpBuilder &builder, Location loc, Value value) {
  value = withElements(builder, loc, value, builder.getF32Type());
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() > 2)
    value = tensor::CollapseShapeOp::create(builder, loc, value, rowsAndColumns(type.getRank()));
  auto rows = RankedTensorType::get({ShapedType::kDynamic, type.getShape().back()}, type.getElementType());
  return value.getType() == rows ? value : tensor::CastOp::create(builder, loc, rows, value).getResult();
}

/// Whether dimension `axis` of two tensors is the same, as far as trying it tells.
static bool isSameSize(Value a, Value b, int64_t axis) {
  constexpr int64_t trials[][5] = {{3, 5, 7, 11, 13}, {8, 4, 6, 9, 2}};
  for (ArrayRef<int64_t> choices : trials) {
    passes::Sizes sizes(choices);
    std::optional<int64_t> one = sizes.size(a, axis), other = sizes.size(b, axis);
    if (!one || one != other)
      return false;
  }
  return true;
}

/// The sizes that the op that makes `value` was given.
static SmallVector<OpFoldResult> givenSizes(Value value) {
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    return expand.getMixedOutputShape();
  if (auto destination = value.getDefiningOp<DestinationStyleOpInterface>())
    if (auto empty = destination.getTiedOpOperand(cast<OpResult>(value))->get().getDefiningOp<tensor::EmptyOp>())
      return empty.getMixedSizes();
  return {};
}

Value passes::fromRows(OpBuilder &builder, Location loc, Value rows, Value like, ValueRange sources) {
  auto type = cast<RankedTensorType>(like.getType());
  rows = withElements(builder, loc, rows, type.getElementType());
  if (type.getRank() == 2)
    return rows.getType() == type ? rows : tensor::CastOp::create(builder, loc, type, rows).getResult();
  SmallVector<OpFoldResult> given = givenSizes(like), sizes;
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    if (!type.isDynamicDim(unsigned(axis))) {
      sizes.push_back(builder.getIndexAttr(type.getDimSize(unsigned(axis))));
      continue;
    }
    auto source = llvm::find_if(sources, [&](Value candidate) {
      return cast<RankedTensorType>(candidate.getType()).getRank() == type.getRank() && isSameSize(candidate, like, axis);
    });
    if (source != sources.end())
      sizes.push_back(tensor::getMixedSize(builder, loc, *source, axis));
    else if (!given.empty())
      sizes.push_back(given[size_t(axis)]);
    else
      return {};
  }
  return tensor::ExpandShapeOp::create(builder, loc, type, rows, rowsAndColumns(type.getRank()), sizes);
}

Value passes::reshapeStatic(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(value.getType());
  auto result = RankedTensorType::get(shape, type.getElementType());
  if (type == result)
    return value;
  std::optional<SmallVector<ReassociationIndices>> reassociation = getReassociationIndicesForReshape(type, result);
  return type.getRank() > result.getRank()
             ? tensor::CollapseShapeOp::create(builder, loc, result, value, *reassociation).getResult()
             : tensor::ExpandShapeOp::create(builder, loc, result, value, *reassociation).getResult();
}
