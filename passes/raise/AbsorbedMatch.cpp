// Attention over latents, between products with both halves of a weight.
#include "passes/raise/AbsorbedMatch.h"
#include "passes/raise/Origins.h"
#include "passes/raise/Rows.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

/// Whether the right operand has a matrix for each of so many heads.
static bool isOfHeads(const HeadProduct &product, int64_t heads, const Flow &flow) {
  auto type = cast<RankedTensorType>(product.right().getType());
  return type.hasStaticShape() && type.getRank() >= 3 && type.getElementType().isF32() && !flow.isData(product.right()) &&
         llvm::is_contained(type.getShape(), heads);
}

/// The product that takes what movements make of `value`.
static std::optional<HeadProduct> productAfter(Value value, int64_t heads, const Flow &flow) {
  SmallVector<Value> pending{value};
  for (size_t steps = 0; !pending.empty() && steps < 64; ++steps) {
    Value next = pending.pop_back_val();
    for (Operation *reader : flow.readersOf(next)) {
      if (std::optional<HeadProduct> product = HeadProduct::of(reader); product && product->left() == next) {
        if (isOfHeads(*product, heads, flow))
          return product;
      } else if (isMovement(reader)) {
        pending.push_back(reader->getResult(0));
      }
    }
  }
  return std::nullopt;
}

std::optional<AbsorbedMatch> AbsorbedMatch::find(moe::AttentionOp attention, const Flow &flow) {
  AbsorbedMatch match;
  match.attention = attention;
  int64_t headDim = attention.getHeadDim();
  match.heads = moe::widthOf(attention.getQuery().getType()) / headDim;
  int64_t latent = moe::widthOf(attention.getType()) / match.heads;
  if (attention.getBatch() || match.heads < 2 || moe::widthOf(attention.getKeyRows().getType()) != headDim || latent >= headDim ||
      attention.getSinks() || attention.getSoftCap() || attention.getWindow())
    return std::nullopt;
  for (Value value : movedInto(attention.getQuery())) {
    std::optional<HeadProduct> product = HeadProduct::of(value.getDefiningOp());
    if (product && !match.before && isOfHeads(*product, match.heads, flow) && moe::widthOf(value.getType()) == latent)
      match.before = product;
    else if (!match.rotated && rowWidth(value) == headDim - latent && cast<RankedTensorType>(value.getType()).getRank() == 4)
      match.rotated = value;
  }
  if (match.before)
    match.after = productAfter(attention.getResult(), match.heads, flow);
  return match.before && match.after && match.rotated ? std::optional(match) : std::nullopt;
}

/// Where movements to `value` begin.
static void addBeginnings(Value value, const Flow &flow, SetVector<Value> &found) {
  for (Value moved : movedInto(value))
    if (Operation *op = moved.getDefiningOp(); flow.isData(moved) && !(op && isMovement(op)))
      found.insert(moved);
}

SmallVector<Value> AbsorbedMatch::inputs(const Flow &flow) const {
  SetVector<Value> found;
  for (Value value : {Value(attention.getKeyRows()), Value(attention.getValueRows()), before->left(), rotated})
    addBeginnings(value, flow, found);
  found.insert(before->right());
  found.insert(after->right());
  for (Value value : {Value(attention.getBias()), Value(attention.getLengths()), Value(attention.getFirst())})
    if (value && flow.isData(value))
      found.insert(value);
  return found.takeVector();
}

Value AbsorbedMatch::build(OpBuilder &builder) {
  Location loc = after->op.getLoc();
  std::optional<View> nope = View::of(builder, before->op, 0), keyUp = View::of(builder, before->op, 1),
                      valueUp = View::of(builder, after->op, 1);
  if (!nope || !keyUp || !valueUp || nope->factor * keyUp->factor * valueUp->factor != 1 || nope->loops.size() != 4 ||
      keyUp->loops.size() != 3 || valueUp->loops.size() != 3)
    return {};
  if (nope->sizeOf(before->head) != heads)
    return {};
  Value first = nope->arranged(builder, loc, {before->sequence, before->row, before->head, before->inner}), second = rotated;
  auto type = cast<RankedTensorType>(second.getType());
  if (type.getDimSize(1) == heads && type.getDimSize(2) != heads)
    second = transposed(builder, loc, second, {0, 2, 1, 3});
  auto firstType = cast<RankedTensorType>(first.getType()), secondType = cast<RankedTensorType>(second.getType());
  if (firstType.getDimSize(2) != heads || secondType.getDimSize(2) != heads)
    return {};
  SmallVector<int64_t> shape(firstType.getShape());
  shape.back() += secondType.getShape().back();
  Value whole = tensor::ConcatOp::create(builder, loc, RankedTensorType::get(shape, builder.getF32Type()), /*dim=*/3,
                                         ValueRange{first, second});
  SmallVector<ReassociationIndices> groups{{0, 1}, {2, 3}};
  Value query = toRows(builder, loc, tensor::CollapseShapeOp::create(builder, loc, whole, groups));
  Value up = keyUp->arranged(builder, loc, {before->head, before->inner, before->column});
  Value down = valueUp->arranged(builder, loc, {after->head, after->column, after->inner});
  int64_t valueWidth = valueUp->sizeOf(after->column);
  auto rowType = RankedTensorType::get({ShapedType::kDynamic, heads * valueWidth}, builder.getF32Type());
  moe::Attended attended{attention.getLengths(), attention.getFirst(), attention.getBias()};
  Value rows = moe::AbsorbedAttentionOp::create(builder, loc, rowType, query, attention.getKeyRows(), Value(), Value(), attended,
                                                up, down, attention.getScale().convertToDouble());
  auto expanded =
      RankedTensorType::get({firstType.getDimSize(0), firstType.getDimSize(1), heads, valueWidth}, builder.getF32Type());
  SmallVector<OpFoldResult> sizes{tensor::getMixedSize(builder, loc, first, 0), tensor::getMixedSize(builder, loc, first, 1),
                                  builder.getIndexAttr(heads), builder.getIndexAttr(valueWidth)};
  auto collapsed = tensor::CollapseShapeOp::inferCollapsedType(expanded, groups);
  if (rows.getType() != collapsed)
    rows = tensor::CastOp::create(builder, loc, collapsed, rows);
  SmallVector<unsigned> loops{after->sequence, after->row, after->head, after->column};
  SmallVector<int64_t> back;
  for (unsigned loop : after->resultLoops())
    back.push_back(int64_t(llvm::find(loops, loop) - loops.begin()));
  Value result = transposed(builder, loc, tensor::ExpandShapeOp::create(builder, loc, expanded, rows, groups, sizes), back);
  return result.getType() == after->result().getType() ? result : Value();
}

std::string AbsorbedMatch::description() const {
  return llvm::formatv("absorbed, {0} heads over {1} columns of which {2} are the latent", heads,
                       moe::widthOf(attention.getKeyRows().getType()), moe::widthOf(attention.getValueRows().getType()))
      .str();
}
