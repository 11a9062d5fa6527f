// Attention whose keys and values are parts of one product with a latent.
#include "passes/raise/LatentMatch.h"
#include "passes/raise/Proof.h"
#include "passes/raise/Rows.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

Value passes::headsOf(OpBuilder &builder, Location loc, Value weight, const HeadRows &rows, int64_t heads) {
  auto type = cast<RankedTensorType>(weight.getType());
  int64_t all = type.getDimSize(0), columns = type.getDimSize(1);
  auto slice = [&](Value of, ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes) -> Value {
    auto constants = [&](ArrayRef<int64_t> numbers) {
      return llvm::map_to_vector(numbers, [&](int64_t number) -> OpFoldResult { return builder.getIndexAttr(number); });
    };
    SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(builder, loc, of, constants(offsets), constants(sizes), strides);
  };
  SmallVector<ReassociationIndices> groups{{0, 1}, {2}};
  if (rows.every == rows.perHead) {
    Value part = slice(weight, {rows.first, 0}, {heads * rows.perHead, columns});
    auto split = RankedTensorType::get({heads, rows.perHead, columns}, type.getElementType());
    return tensor::ExpandShapeOp::create(builder, loc, split, part, groups);
  }
  int64_t head = rows.first / rows.every, within = rows.first % rows.every;
  if (all % rows.every || within + rows.perHead > rows.every || head + heads > all / rows.every)
    return {};
  auto split = RankedTensorType::get({all / rows.every, rows.every, columns}, type.getElementType());
  Value whole = tensor::ExpandShapeOp::create(builder, loc, split, weight, groups);
  return slice(whole, {head, within, 0}, {heads, rows.perHead, columns});
}

namespace {
/// The elements of rows of heads as `read` has them: of a past, then new ones.
class HeadElements {
public:
  HeadElements(const Origins &origins, int64_t sequences, int64_t heads, int64_t past) : of(origins), heads(heads), past(past) {
    rows = origins.shape[0] / std::max<int64_t>(sequences, 1);
    width = origins.shape[1] / heads;
    this->sequences = sequences;
  }

  /// Whether the rows of a past are those of `source`, [sequences, heads, rows, width].
  bool isPast(size_t source) const {
    for (int64_t b = 0; b < sequences; ++b)
      for (int64_t t = 0; t < past; ++t)
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t d = 0; d < width; ++d) {
            const std::optional<Origin> &origin = at(b, t, h, d);
            if (!origin || origin->source != source || origin->index != ((b * heads + h) * past + t) * width + d)
              return false;
          }
    return true;
  }

  /// The columns of `source`, a matrix of a row for each new one, that are columns [0, count) of the heads.
  std::optional<HeadRows> columnsOf(size_t source, int64_t count) const {
    int64_t sourceWidth = of.sourceShapes[source].back();
    auto columnAt = [&](int64_t b, int64_t t, int64_t h, int64_t d) -> int64_t {
      const std::optional<Origin> &origin = at(b, t, h, d);
      int64_t row = b * (rows - past) + t - past;
      return origin && origin->source == source && origin->index / sourceWidth == row ? origin->index % sourceWidth : -1;
    };
    HeadRows found{columnAt(0, past, 0, 0), count, count};
    if (heads > 1)
      found.every = columnAt(0, past, 1, 0) - found.first;
    bool holds = found.first >= 0 && found.every > 0;
    forEachNew([&](int64_t b, int64_t t, int64_t h) {
      for (int64_t d = 0; d < count; ++d)
        holds &= columnAt(b, t, h, d) == found.first + h * found.every + d;
    });
    return holds ? std::optional(found) : std::nullopt;
  }

  /// Whether columns from `first` on are those of `source`, which has a row for each new one, in every head alike.
  bool areShared(size_t source, int64_t first) const {
    int64_t pe = width - first;
    bool holds = pe > 0 && countOf(of.sourceShapes[source]) == sequences * (rows - past) * pe;
    forEachNew([&](int64_t b, int64_t t, int64_t h) {
      for (int64_t d = first; d < width; ++d) {
        const std::optional<Origin> &origin = at(b, t, h, d);
        holds &= origin && origin->source == source && origin->index == (b * (rows - past) + t - past) * pe + d - first;
      }
    });
    return holds;
  }

  /// How many columns of a head come from `source`.
  int64_t leadingFrom(size_t source) const {
    int64_t count = 0;
    while (count < width && at(0, past, 0, count) && at(0, past, 0, count)->source == source)
      ++count;
    return count;
  }
  bool hasNew() const { return sequences > 0 && rows > past; }
  int64_t width, rows;

private:
  const std::optional<Origin> &at(int64_t b, int64_t t, int64_t h, int64_t d) const {
    return of.elements[size_t((b * rows + t) * heads * width + h * width + d)];
  }
  void forEachNew(llvm::function_ref<void(int64_t, int64_t, int64_t)> visit) const {
    for (int64_t b = 0; b < sequences; ++b)
      for (int64_t t = past; t < rows; ++t)
        for (int64_t h = 0; h < heads; ++h)
          visit(b, t, h);
  }

  const Origins &of;
  int64_t heads, past, sequences;
};
} // namespace

bool LatentMatch::follow(evaluator::Budget &budget) {
  unsigned followed = 0;
  for (const std::vector<int64_t> &choices : trialSizes()) {
    Sizes sizes(choices);
    std::optional<SmallVector<int64_t>> rows = sizes.shape(ofKeys.output), alike = sizes.shape(shared);
    if (!rows || !alike || countOf(*alike) != rows->front() * alike->back())
      continue; // it does not have a row for each latent
    SmallVector<Value> fromKeys{ofKeys.output, shared}, fromValues{ofValues.output};
    if (pastKeys) {
      fromKeys.push_back(pastKeys);
      fromValues.push_back(pastValues);
    }
    std::optional<int64_t> sequences = sizes.size(attention.getLengths(), 0);
    std::optional<Origins> keys = Origins::of(attention.getKeyRows(), fromKeys, sizes, &budget);
    std::optional<Origins> values = keys ? Origins::of(attention.getValueRows(), fromValues, sizes, &budget) : std::nullopt;
    if (!sequences || !keys || !values)
      continue;
    int64_t past = pastKeys ? keys->sourceShapes[2][2] : 0;
    HeadElements key(*keys, *sequences, heads, past), value(*values, *sequences, heads, past);
    if (!key.hasNew() || key.rows != value.rows)
      continue;
    nope = key.leadingFrom(0);
    std::optional<HeadRows> keyColumns = key.columnsOf(0, nope), valueColumns = value.columnsOf(0, value.width);
    if (!nope || !keyColumns || !valueColumns || !key.areShared(1, nope) || (pastKeys && (!key.isPast(2) || !value.isPast(1))))
      return false;
    keyRows = *keyColumns, valueRows = *valueColumns;
    if (++followed == 2)
      return true;
  }
  return false;
}

std::optional<Projection> Projection::of(Value output) {
  Operation *op = output.getDefiningOp();
  if (auto linear = dyn_cast_or_null<moe::LinearOp>(op); linear && !linear.getBias() && !linear.getResidual())
    return Projection{output, linear.getInput(), linear.getWeight(), false};
  std::optional<Contraction> contraction = Contraction::of(op);
  if (!contraction || !contraction->batch.empty())
    return std::nullopt;
  OpBuilder builder(op);
  std::optional<View> weight = View::of(builder, contraction->op, 1);
  auto type = weight ? cast<RankedTensorType>(weight->tensor.getType()) : RankedTensorType();
  if (!weight || weight->factor != 1 || !type.hasStaticShape() || !type.getElementType().isF32())
    return std::nullopt;
  return Projection{output, contraction->left(), weight->origin, weight->loops.front() == contraction->inner};
}

std::optional<LatentMatch> LatentMatch::find(moe::AttentionOp attention, evaluator::Budget &budget, std::string &problem) {
  LatentMatch match;
  match.attention = attention;
  int64_t headDim = attention.getHeadDim();
  match.heads = moe::widthOf(attention.getQuery().getType()) / headDim;
  if (attention.getBatch() || moe::widthOf(attention.getKeyRows().getType()) != match.heads * headDim)
    return std::nullopt;
  SmallVector<Value> keys = movedInto(attention.getKeyRows()), values = movedInto(attention.getValueRows());
  auto isPast = [&](Value value, int64_t width) {
    auto type = cast<RankedTensorType>(value.getType());
    Operation *op = value.getDefiningOp();
    return type.getRank() == 4 && type.getDimSize(1) == match.heads && type.getDimSize(3) == width && !(op && isMovement(op));
  };
  int64_t valueWidth = moe::widthOf(attention.getValueRows().getType()) / match.heads;
  for (Value candidate : keys)
    if (isPast(candidate, headDim))
      match.pastKeys = candidate;
  for (Value candidate : values)
    if (isPast(candidate, valueWidth) && candidate != match.pastKeys)
      match.pastValues = candidate;
  if (bool(match.pastKeys) != bool(match.pastValues))
    match.pastKeys = match.pastValues = {};

  SmallVector<Projection> ofValues;
  for (Value value : values)
    if (std::optional<Projection> projection = Projection::of(value))
      ofValues.push_back(*projection);
  for (Value key : keys) {
    std::optional<Projection> ofKeys = Projection::of(key);
    if (!ofKeys)
      continue;
    for (const Projection &projection : ofValues) {
      if (projection.input != ofKeys->input)
        continue;
      match.ofKeys = *ofKeys, match.ofValues = projection;
      problem = "keys and values come from one latent, but the rest of its keys is not one that all heads share";
      for (Value shared : keys) {
        if (shared == key || shared == match.pastKeys || !rowWidth(shared) || rowWidth(shared) >= headDim)
          continue;
        match.shared = shared;
        if (!match.follow(budget))
          continue;
        if (!attention.getSinks() && !attention.getSoftCap() && !attention.getWindow())
          return match;
        problem = "it has sinks, a soft cap or a window, which latent attention does not have";
        return std::nullopt;
      }
    }
  }
  return std::nullopt;
}

SmallVector<Value> LatentMatch::inputs(const Flow &flow) const {
  SmallVector<Value> all{attention.getQuery(), ofKeys.input, ofKeys.weight, shared};
  if (ofValues.weight != ofKeys.weight)
    all.push_back(ofValues.weight);
  for (Value value : {pastKeys, pastValues, Value(attention.getBias()), Value(attention.getLengths()), Value(attention.getFirst())})
    if (value && flow.isData(value) && !llvm::is_contained(all, value))
      all.push_back(value);
  return all;
}

Value LatentMatch::build(OpBuilder &builder) {
  Location loc = attention.getLoc();
  auto matrixOf = [&](const Projection &projection) {
    return projection.isTurned ? transposed(builder, loc, projection.weight, {1, 0}) : projection.weight;
  };
  Value keyUp = headsOf(builder, loc, matrixOf(ofKeys), keyRows, heads);
  Value valueUp = headsOf(builder, loc, matrixOf(ofValues), valueRows, heads);
  if (!keyUp || !valueUp)
    return {};
  Value c = toRows(builder, loc, ofKeys.input), pe = toRows(builder, loc, shared);
  auto type =
      RankedTensorType::get({ShapedType::kDynamic, moe::widthOf(c.getType()) + moe::widthOf(pe.getType())}, builder.getF32Type());
  Value rows = tensor::ConcatOp::create(builder, loc, type, /*dim=*/1, ValueRange{c, pe});
  auto ofHeads = [&](Value past) -> Value {
    return past ? toRows(builder, loc,
                         tensor::CollapseShapeOp::create(builder, loc, transposed(builder, loc, past, {0, 2, 1, 3}),
                                                         SmallVector<ReassociationIndices>{{0, 1}, {2, 3}}))
                : Value();
  };
  moe::Attended attended{attention.getLengths(), attention.getFirst(), attention.getBias()};
  return moe::LatentAttentionOp::create(builder, loc, attention.getType(), attention.getQuery(), rows, ofHeads(pastKeys),
                                        ofHeads(pastValues), attended, keyUp, valueUp, attention.getScale().convertToDouble());
}

std::string LatentMatch::description() const {
  return llvm::formatv("{0} heads, nope {1}, latent {2}, rope {3}, value {4}{5}", heads, nope, moe::widthOf(ofKeys.input.getType()),
                       rowWidth(shared), valueRows.perHead, pastKeys ? ", after keys and values of heads" : "")
      .str();
}
