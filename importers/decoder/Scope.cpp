// The ops that every part of a decoder is made of.
#include "importers/decoder/Scope.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

RankedTensorType Scope::rows(int64_t width) const {
  return RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type());
}

Value Scope::get(moe::WeightOp weight) {
  return moe::GetWeightOp::create(builder, weight.getLoc(), weight.getType(), weight.getSymName());
}

Value Scope::get(const Matrix &matrix) {
  Value values = get(matrix.values);
  if (!matrix.scales)
    return values;
  Value scales = get(matrix.scales), global = matrix.global ? get(matrix.global) : Value();
  Value zeros = matrix.zeros ? get(matrix.zeros) : Value();
  return moe::DequantizeOp::create(builder, matrix.values->getLoc(), moe::dequantizedType(values.getType()), values, scales, global,
                                   zeros, matrix.format);
}

Value Scope::linear(StringRef name, Value input, int64_t width, bool bias) {
  Value weights = matrix((name + ".weight").str(), {width, moe::widthOf(input.getType())});
  Value offset = bias ? weight((name + ".bias").str(), {width}) : Value();
  return create<moe::LinearOp>(name, rows(width), input, weights, offset, /*residual=*/Value());
}

Value Scope::norm(StringRef name, Value input, int64_t group, double epsilon) {
  return create<moe::RMSNormOp>(name, input.getType(), input, weight((name + ".weight").str(), {group}), llvm::APFloat(epsilon),
                                /*group=*/IntegerAttr());
}

Value Scope::columns(StringRef name, Value input, int64_t from, int64_t width) {
  return create<moe::ColumnsOp>(name, rows(width), input, static_cast<uint64_t>(from));
}

Value Scope::plainNorm(StringRef name, Value input, int64_t group, double epsilon) {
  return create<moe::RMSNormOp>(name, input.getType(), input, /*weight=*/Value(), llvm::APFloat(epsilon),
                                builder.getI64IntegerAttr(group));
}

Value Scope::rope(StringRef name, Value input, int64_t headDim, moe::RotaryAttr rotary, moe::PositionScaleAttr positionScale,
                  int64_t block) {
  return create<moe::RopeOp>(name, input, batch, headDim, rotary, positionScale, block);
}

Value Scope::gatedMLP(StringRef name, Value input, int64_t width, moe::ActivationAttr activation, StringRef gate, StringRef up,
                      StringRef down) {
  int64_t hidden = moe::widthOf(input.getType());
  auto projection = [&](StringRef tensor, ArrayRef<int64_t> shape) { return matrix((tensor + ".weight").str(), shape); };
  Value gateWeight = projection(gate, {width, hidden}), upWeight = projection(up, {width, hidden});
  Value downWeight = projection(down, {hidden, width});
  return create<moe::GatedMLPOp>(name, input.getType(), input, gateWeight, upWeight, downWeight, /*residual=*/Value(), activation);
}

Value Scope::add(StringRef name, Value a, Value b) { return create<arith::AddFOp>(name, a, b); }

FlatSymbolRefAttr Scope::cache(StringRef symbol, int64_t width, int64_t block) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(builder.getInsertionBlock()->getParentOp());
  moe::CacheOp::create(builder, NameLoc::get(builder.getStringAttr(symbol)), symbol, TypeAttr::get(rows(width)),
                       static_cast<uint64_t>(block));
  return FlatSymbolRefAttr::get(context(), symbol);
}
