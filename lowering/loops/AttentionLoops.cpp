// Attention over rows that are operands, in its three forms, as loops.
#include "lowering/kernel/Functions.h"
#include "lowering/loops/LoopBuilder.h"
#include "lowering/loops/Loops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::moe;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Equally long sequences of rows: how many there are, and how many rows each has of a tensor.
class Sequences {
public:
  Sequences(LoopBuilder &b, Value lengths) : count(b.sizeOf(lengths, 0)), b(b) {}

  Number rowsOf(Value rows) {
    Number all = b.sizeOf(rows, 0), each = all / maximum(count, b.index(1));
    b.require(each * count == all, "attention: expected rows of equally long sequences");
    return each;
  }
  /// [sequences, rows, parts...] of rows whose columns are `parts`.
  Value cut(Value rows, ArrayRef<int64_t> parts) {
    SmallVector<OpFoldResult> sizes{count.value, rowsOf(rows).value};
    SmallVector<int64_t> shape{ShapedType::kDynamic, ShapedType::kDynamic};
    SmallVector<ReassociationIndices> together{{0, 1}, {}};
    for (int64_t part : parts) {
      together[1].push_back(int64_t(sizes.size()));
      sizes.push_back(b.getIndexAttr(part));
      shape.push_back(part);
    }
    return tensor::ExpandShapeOp::create(b, RankedTensorType::get(shape, b.getF32Type()), rows, together, sizes);
  }

  Number count;

private:
  LoopBuilder &b;
};

/// The same rows of [sequences, rows, parts...].
Value joined(LoopBuilder &b, Value cut) {
  auto type = cast<RankedTensorType>(cut.getType());
  SmallVector<ReassociationIndices> together{{0, 1}, {}};
  int64_t width = 1;
  for (int64_t dim = 2; dim < type.getRank(); ++dim) {
    together[1].push_back(dim);
    width *= type.getDimSize(dim);
  }
  return tensor::CollapseShapeOp::create(b, RankedTensorType::get({ShapedType::kDynamic, width}, b.getF32Type()), cut, together);
}

/// `part` put into `whole` from `offset` of one of its dimensions on.
Value insert(LoopBuilder &b, Value part, Value whole, int64_t dim, OpFoldResult offset) {
  SmallVector<OpFoldResult> offsets(size_t(cast<RankedTensorType>(whole.getType()).getRank()), b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
  offsets[dim] = offset;
  return tensor::InsertSliceOp::create(b, part, whole, offsets, tensor::getMixedSizes(b, b.getLoc(), part), strides);
}

/// Columns of rows.
Value columns(LoopBuilder &b, Value rows, int64_t offset, int64_t width) {
  SmallVector<OpFoldResult> offsets{b.getIndexAttr(0), b.getIndexAttr(offset)};
  SmallVector<OpFoldResult> sizes{b.sizeOf(rows, 0).value, b.getIndexAttr(width)}, strides(2, b.getIndexAttr(1));
  auto type = RankedTensorType::get({ShapedType::kDynamic, width}, b.getF32Type());
  return tensor::ExtractSliceOp::create(b, type, rows, offsets, sizes, strides);
}

/// What attention is, whatever keys and values are made of.
struct Attention {
  Value query, keys, values; ///< rows
  Attended attended;
  int64_t heads, pairs; ///< of queries; of keys and values
  double scale;
  Value sinks;
  std::optional<int64_t> window;
  std::optional<double> softCap;

  Value build(LoopBuilder &b) const;

private:
  void requireSizes(LoopBuilder &b, Sequences &sequences) const;
  Number seenScore(LoopBuilder &b, Number product, int64_t group) const;
};

void Attention::requireSizes(LoopBuilder &b, Sequences &sequences) const {
  b.require(b.sizeOf(keys, 0) == b.sizeOf(values, 0), "attention: expected as many rows of keys as of values");
  if (attended.first)
    b.require(b.sizeOf(attended.first, 0) == sequences.count, "attention: expected a first position of every sequence");
  if (!attended.bias)
    return;
  Number wanted[] = {sequences.count, b.index(heads), sequences.rowsOf(query), sequences.rowsOf(keys)};
  for (auto [axis, size] : llvm::enumerate(wanted)) {
    Number have = b.sizeOf(attended.bias, int64_t(axis));
    b.require((have == 1) | (have == size), "attention: expected a bias that broadcasts to [sequences, heads, queries, keys]");
  }
}

/// The score where the loops over sequences, pairs, a pair's heads, queries and keys are: minus infinity for what is not seen.
Number Attention::seenScore(LoopBuilder &b, Number product, int64_t group) const {
  Number sequence = b.loopIndex(0), head = b.loopIndex(1) * group + b.loopIndex(2), row = b.loopIndex(3), key = b.loopIndex(4);
  Number score = product * b.real(scale);
  if (softCap)
    score = b.real(*softCap) * hyperbolicTangent(score / b.real(*softCap));
  if (attended.bias) {
    Number place[] = {sequence, head, row, key};
    for (auto [axis, index] : llvm::enumerate(place))
      index = select(b.sizeOf(attended.bias, int64_t(axis)) == 1, b.index(0), index);
    score = score + b.at(attended.bias, place);
  }
  auto count = [&](Value counts) { return b.number(arith::IndexCastOp::create(b, b.getIndexType(), b.at(counts, {sequence}))); };
  Number length = count(attended.lengths), isSeen = key < length;
  if (attended.first) {
    Number position = count(attended.first) + row;
    isSeen = isSeen & (key <= position) & (position < length);
    if (window)
      isSeen = isSeen & (position - key < *window);
  }
  return select(isSeen, score, b.real(-infinity));
}

Value Attention::build(LoopBuilder &b) const {
  Sequences sequences(b, attended.lengths);
  requireSizes(b, sequences);
  int64_t group = heads / pairs, width = widthOf(query.getType()) / heads, valueWidth = widthOf(values.getType()) / pairs;
  Value q = sequences.cut(query, {pairs, group, width}), k = sequences.cut(keys, {pairs, width});
  Value v = sequences.cut(values, {pairs, valueWidth});
  Type f32 = b.getF32Type();
  OpFoldResult count = sequences.count.value, rows = b.sizeOf(q, 1).value, positions = b.sizeOf(k, 1).value;
  OpFoldResult pairSize = b.getIndexAttr(pairs), groupSize = b.getIndexAttr(group);
  Value scoreShape = b.empty({count, pairSize, groupSize, rows, positions}, f32);
  Value rowShape = b.empty({count, pairSize, groupSize, rows}, f32);

  Value scores = b.reduce({b.fill(scoreShape, 0), {0, 1, 2, 3, 4}}, {{q, {0, 3, 1, 2, 5}}, {k, {0, 4, 1, 5}}},
                          [](ArrayRef<Number> e) { return e[2] + e[0] * e[1]; });
  scores = b.map(scoreShape, {{scores, {0, 1, 2, 3, 4}}}, [&](ArrayRef<Number> e) {
    LoopBuilder inner(b.getLoc(), *e[0].builder);
    return seenScore(inner, e[0], group);
  });
  Value largest = b.reduce({b.fill(rowShape, -infinity), {0, 1, 2, 3}}, {{scores, {0, 1, 2, 3, 4}}},
                           [](ArrayRef<Number> e) { return maximum(e[1], e[0]); });
  auto sinkOf = [&](Number element) {
    LoopBuilder inner(b.getLoc(), *element.builder);
    return realOf(inner.at(sinks, {inner.loopIndex(1) * group + inner.loopIndex(2)}));
  };
  // Where nothing is seen the largest is minus infinity, and any shift but that will do.
  Value shift = b.map(rowShape, {{largest, {0, 1, 2, 3}}}, [&](ArrayRef<Number> e) {
    Number most = sinks ? maximum(e[0], sinkOf(e[0])) : e[0];
    return select(most == most.like(-infinity), most.like(0.0), most);
  });
  Value powers = b.map(scoreShape, {{scores, {0, 1, 2, 3, 4}}, {shift, {0, 1, 2, 3}}},
                       [](ArrayRef<Number> e) { return exponential(e[0] - e[1]); });
  Value total =
      b.reduce({b.fill(rowShape, 0), {0, 1, 2, 3}}, {{powers, {0, 1, 2, 3, 4}}}, [](ArrayRef<Number> e) { return e[1] + e[0]; });
  total = b.map(rowShape, {{total, {0, 1, 2, 3}}, {shift, {0, 1, 2, 3}}}, [&](ArrayRef<Number> e) {
    Number sum = sinks ? e[0] + exponential(sinkOf(e[0]) - e[1]) : e[0];
    return select(sum == sum.like(0.0), sum.like(1.0), sum);
  });
  Value outShape = b.empty({count, rows, pairSize, groupSize, b.getIndexAttr(valueWidth)}, f32);
  // What is not seen may be anything, also what no product makes zero.
  Value sums = b.reduce({b.fill(outShape, 0), {0, 1, 2, 3, 4}}, {{powers, {0, 2, 3, 1, 5}}, {v, {0, 5, 2, 4}}},
                        [](ArrayRef<Number> e) { return select(e[0] == e[0].like(0.0), e[2], e[2] + e[0] * e[1]); });
  return joined(b,
                b.map(outShape, {{sums, {0, 1, 2, 3, 4}}, {total, {0, 2, 3, 1}}}, [](ArrayRef<Number> e) { return e[0] / e[1]; }));
}

template <typename Op> Attended attendedOf(Op op) { return {op.getLengths(), op.getFirst(), op.getBias()}; }

struct AttentionLoops : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    if (op.getBatch())
      return rewriter.notifyMatchFailure(op, "reads caches");
    LoopBuilder b(op.getLoc(), rewriter);
    int64_t headDim = op.getHeadDim();
    Attention attention{op.getQuery(),
                        op.getKeyRows(),
                        op.getValueRows(),
                        attendedOf(op),
                        widthOf(op.getQuery().getType()) / headDim,
                        widthOf(op.getKeyRows().getType()) / headDim,
                        op.getScale().convertToDouble(),
                        op.getSinks(),
                        {},
                        {}};
    if (auto window = op.getWindow())
      attention.window = int64_t(*window);
    if (auto cap = op.getSoftCap())
      attention.softCap = cap->convertToDouble();
    rewriter.replaceOp(op, attention.build(b));
    return success();
  }
};

/// Sizes of latent attention.
struct LatentSizes {
  int64_t heads, nope, latent, value, pe;
  template <typename Op> explicit LatentSizes(Op op) {
    auto up = cast<RankedTensorType>(op.getKeyUp().getType());
    heads = up.getDimSize(0), nope = up.getDimSize(1), latent = up.getDimSize(2);
    value = cast<RankedTensorType>(op.getValueUp().getType()).getDimSize(1);
    pe = widthOf(op.getLatents().getType()) - latent;
  }
};

/// [rows, heads, width] as rows, and back.
Value asRows(LoopBuilder &b, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  auto rows = RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(1) * type.getDimSize(2)}, b.getF32Type());
  return tensor::CollapseShapeOp::create(b, rows, tensor, SmallVector<ReassociationIndices>{{0}, {1, 2}});
}
Value asHeads(LoopBuilder &b, Value rows, int64_t heads) {
  int64_t width = widthOf(rows.getType()) / heads;
  auto type = RankedTensorType::get({ShapedType::kDynamic, heads, width}, b.getF32Type());
  SmallVector<OpFoldResult> sizes{b.sizeOf(rows, 0).value, b.getIndexAttr(heads), b.getIndexAttr(width)};
  return tensor::ExpandShapeOp::create(b, type, rows, SmallVector<ReassociationIndices>{{0}, {1, 2}}, sizes);
}

/// x W^T for every head: `x` has the loops `ofX` over rows, heads, outputs (2) and inputs (3), the weight [heads, out, in] or,
/// turned, [heads, in, out].
Value headProduct(LoopBuilder &b, Value x, ArrayRef<unsigned> ofX, Value weight, bool turned) {
  auto type = cast<RankedTensorType>(weight.getType());
  Value zeros = b.fill(b.empty(b.sizeOf(x, 0), {type.getDimSize(0), type.getDimSize(turned ? 2 : 1)}, b.getF32Type()), 0);
  SmallVector<unsigned> ofWeight{1, 2, 3};
  if (turned)
    std::swap(ofWeight[1], ofWeight[2]);
  return b.reduce({zeros, {0, 1, 2}}, {{x, SmallVector<unsigned>(ofX)}, {weight, ofWeight}},
                  [](ArrayRef<Number> e) { return e[2] + e[0] * realOf(e[1]); });
}

/// Rows of each sequence: those of `before`, then those of `after`.
Value appended(LoopBuilder &b, Value before, Value after, Value lengths) {
  Sequences sequences(b, lengths);
  int64_t width = widthOf(after.getType());
  Value first = sequences.cut(before, {width}), second = sequences.cut(after, {width});
  Number firstRows = b.sizeOf(first, 1), rows = firstRows + b.sizeOf(second, 1);
  Value whole = b.empty({sequences.count.value, rows.value, b.getIndexAttr(width)}, b.getF32Type());
  whole = insert(b, first, whole, 1, b.getIndexAttr(0));
  return joined(b, insert(b, second, whole, 1, firstRows.value));
}

struct LatentAttentionLoops : OpRewritePattern<LatentAttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LatentAttentionOp op, PatternRewriter &rewriter) const override {
    if (op.getBatch())
      return rewriter.notifyMatchFailure(op, "reads a cache");
    LoopBuilder b(op.getLoc(), rewriter);
    LatentSizes size(op);
    Value rows = op.getLatents(), latents = columns(b, rows, 0, size.latent), pe = columns(b, rows, size.latent, size.pe);
    Number count = b.sizeOf(rows, 0);
    Value shared =
        b.map(b.empty(count, {size.heads, size.pe}, b.getF32Type()), {{pe, {0, 2}}}, [](ArrayRef<Number> e) { return e[0]; });
    Value keys = b.empty(count, {size.heads, size.nope + size.pe}, b.getF32Type());
    keys = insert(b, headProduct(b, latents, {0, 3}, op.getKeyUp(), false), keys, 2, b.getIndexAttr(0));
    keys = asRows(b, insert(b, shared, keys, 2, b.getIndexAttr(size.nope)));
    Value values = asRows(b, headProduct(b, latents, {0, 3}, op.getValueUp(), false));
    if (op.getPastKeys()) {
      keys = appended(b, op.getPastKeys(), keys, op.getLengths());
      values = appended(b, op.getPastValues(), values, op.getLengths());
    }
    Attention attention{
        op.getQuery(), keys, values, attendedOf(op), size.heads, size.heads, op.getScale().convertToDouble(), {}, {}, {}};
    rewriter.replaceOp(op, attention.build(b));
    return success();
  }
};

struct AbsorbedAttentionLoops : OpRewritePattern<AbsorbedAttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AbsorbedAttentionOp op, PatternRewriter &rewriter) const override {
    if (op.getBatch())
      return rewriter.notifyMatchFailure(op, "reads a cache");
    LoopBuilder b(op.getLoc(), rewriter);
    LatentSizes size(op);
    Value query = asHeads(b, op.getQuery(), size.heads);
    auto part = [&](int64_t offset, int64_t width) {
      SmallVector<OpFoldResult> offsets(3, b.getIndexAttr(0)), strides(3, b.getIndexAttr(1));
      SmallVector<OpFoldResult> sizes{b.sizeOf(query, 0).value, b.getIndexAttr(size.heads), b.getIndexAttr(width)};
      offsets[2] = b.getIndexAttr(offset);
      auto type = RankedTensorType::get({ShapedType::kDynamic, size.heads, width}, b.getF32Type());
      return tensor::ExtractSliceOp::create(b, type, query, offsets, sizes, strides);
    };
    Value absorbed = b.empty(b.sizeOf(query, 0), {size.heads, size.latent + size.pe}, b.getF32Type());
    absorbed = insert(b, headProduct(b, part(0, size.nope), {0, 1, 3}, op.getKeyUp(), true), absorbed, 2, b.getIndexAttr(0));
    absorbed = asRows(b, insert(b, part(size.nope, size.pe), absorbed, 2, b.getIndexAttr(size.latent)));
    Attention attention{absorbed,
                        op.getLatents(),
                        columns(b, op.getLatents(), 0, size.latent),
                        attendedOf(op),
                        size.heads,
                        1,
                        op.getScale().convertToDouble(),
                        {},
                        {},
                        {}};
    Value means = asHeads(b, attention.build(b), size.heads);
    rewriter.replaceOp(op, asRows(b, headProduct(b, means, {0, 1, 3}, op.getValueUp(), false)));
    return success();
  }
};

} // namespace

void moec::lowering::populateAttentionLoops(RewritePatternSet &patterns) {
  patterns.add<AbsorbedAttentionLoops, AttentionLoops, LatentAttentionLoops>(patterns.getContext());
}
