// softmax(scale q k^T + mask) v with grouped heads, as contractions and maps.
#include "importers/onnx/operators/Attention.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

FailureOr<Tensor> onnx::splitHeads(Call &call, const Tensor &tensor, int64_t heads) {
  Extents &x = call.e.extents;
  if (tensor.rank() != 3 || heads < 1 || !tensor.shape[2].isConstant() || tensor.shape[2].constant() % heads)
    return call.refuse("expected [batch, length, width] with a width that " + Twine(heads) + " heads divide, got " +
                       spelled(tensor.shape));
  Shape split = {tensor.shape[0], tensor.shape[1], heads, x.divide(tensor.shape[2], heads)};
  return call.e.transpose(call.e.reshape(tensor, split), {0, 2, 1, 3});
}

Tensor onnx::joinHeads(Emitter &e, const Tensor &tensor) {
  Tensor turned = e.transpose(tensor, {0, 2, 1, 3});
  return e.reshape(turned, Shape{turned.shape[0], turned.shape[1], e.extents.multiply(turned.shape[2], turned.shape[3])});
}

/// Where an index is bounded to a dimension, that has something.
static void requireElements(Emitter &e, const Extent &size, StringRef what) {
  if (!size.isConstant() || size.is(0))
    e.require(Scalars(e.b).less(e.extents.value(0), e.extents.value(size)), what + " is empty");
}

/// An element of a mask that broadcasts to the scores; where it is too short, `beyond`.
static Value maskAt(Scalars &s, Value mask, ArrayRef<Value> sizes, ValueRange at, Value beyond) {
  Scalars indices(s.b);
  SmallVector<Value> place;
  Value isBeyond;
  for (auto [axis, size] : llvm::enumerate(sizes)) {
    Value index = at[at.size() - sizes.size() + axis], isOne = indices.equal(size, indices.index(1));
    if (axis + 1 == sizes.size()) {
      isBeyond = indices.lessOrEqual(size, index);
      index = indices.maximum(indices.minimum(index, indices.subtract(size, indices.index(1))), indices.index(0));
    } else {
      index = indices.select(isOne, indices.index(0), index);
    }
    place.push_back(index);
  }
  Value element = tensor::ExtractOp::create(s.b, mask, place);
  return isBeyond ? s.select(isBeyond, beyond, element) : element;
}

static LogicalResult checkMask(Call &call, const Tensor &mask, ArrayRef<Extent> scores) {
  if (mask.rank() > 4 || mask.rank() < 1 || (mask.type != DataType::Bool && !isFloat(mask.type)))
    return call.refuse("mask: expected bools or floats of at most 4 dimensions, got " + nameOf(mask.type) + " " +
                       spelled(mask.shape));
  for (int64_t axis = 0; axis < mask.rank(); ++axis) {
    const Extent &size = mask.shape[axis], &wanted = scores[4 - mask.rank() + axis];
    bool isLast = axis + 1 == mask.rank();
    if (size == wanted || size.is(1))
      continue;
    if (size.isConstant() && wanted.isConstant() && !isLast)
      return call.refuse("mask: expected a shape that broadcasts to " + spelled(scores) + ", got " + spelled(mask.shape));
    if (!isLast) {
      Emitter &e = call.e;
      Scalars s(e.b);
      Value have = e.extents.value(size);
      e.require(s.either(s.equal(have, s.index(1)), s.equal(have, e.extents.value(wanted))),
                call.place() + ": the mask does not broadcast");
    }
  }
  return success();
}

FailureOr<Tensor> onnx::masked(Call &call, const AttentionInputs &inputs, const Tensor &scores) {
  Emitter &e = call.e;
  if (!inputs.mask && !inputs.visible)
    return scores;
  Value mask;
  SmallVector<Value> sizes;
  if (inputs.mask) {
    if (failed(checkMask(call, *inputs.mask, scores.shape)))
      return failure();
    mask = e.value(*inputs.mask);
    bool isWhole = inputs.mask->shape.back().is(1) && !scores.shape.back().is(1);
    Tensor whole = *inputs.mask;
    if (isWhole) { // one for all keys
      whole.shape.back() = scores.shape.back();
      mask = e.value(e.expand(*inputs.mask, whole.shape));
    }
    for (const Extent &size : whole.shape) {
      sizes.push_back(e.extents.value(size));
      requireElements(e, size, "a mask");
    }
  }
  return e.loop({scores}, {{0, 1, 2, 3}}, scores.shape, 4, scores.type, std::nullopt, [&](Scalars &s, ValueRange x) {
    SmallVector<Value> at;
    for (int axis = 0; axis < 4; ++axis)
      at.push_back(linalg::IndexOp::create(s.b, axis));
    Value score = x[0], none = s.infinity(score.getType(), true);
    if (mask) {
      bool isBool = inputs.mask->type == DataType::Bool;
      Type type = e.elementType(inputs.mask->type);
      Value element = maskAt(s, mask, sizes, at, isBool ? s.number(type, 0) : s.infinity(type, true));
      score = isBool ? s.select(element, score, none) : s.add(score, s.convert(element, inputs.mask->type, scores.type));
    }
    Value seen = inputs.visible ? inputs.visible(s, at[0], at[2], at[3]) : Value();
    return seen ? s.select(seen, score, none) : score;
  });
}

/// Rows in which nothing is seen have no weights at all.
static Tensor weightsOf(Emitter &e, const Tensor &scores, const std::optional<Tensor> &sinks) {
  Tensor best = e.maximum(scores, {3});
  SmallVector<Tensor, 2> first = {best};
  if (sinks)
    first.push_back(e.reshape(*sinks, Shape{sinks->shape[0], 1, 1}));
  Tensor shift = e.map(first, best.shape, scores.type, [&](Scalars &s, ValueRange x) {
    Value largest = sinks ? s.maximum(x[0], s.convert(x[1], wide(sinks->type), scores.type)) : x[0];
    return s.select(s.equal(largest, s.infinity(largest.getType(), true)), s.like(largest, 0), largest);
  });
  Tensor powers = e.map({scores, shift}, scores.shape, scores.type,
                        [](Scalars &s, ValueRange x) { return s.exponential(s.subtract(x[0], x[1])); });
  SmallVector<Tensor, 2> second = {e.sum(powers, {3})};
  if (sinks)
    second.append({first[1], shift});
  Tensor total = e.map(second, best.shape, scores.type, [&](Scalars &s, ValueRange x) {
    Value sum = sinks ? s.add(x[0], s.exponential(s.subtract(s.convert(x[1], wide(sinks->type), scores.type), x[2]))) : x[0];
    return s.select(s.equal(sum, s.like(sum, 0)), s.like(sum, 1), sum);
  });
  return e.map({powers, total}, scores.shape, scores.type, [](Scalars &s, ValueRange x) { return s.divide(x[0], x[1]); });
}

FailureOr<AttentionResult> onnx::attend(Call &call, const AttentionInputs &inputs) {
  Emitter &e = call.e;
  const Tensor &query = inputs.query, &key = inputs.key, &value = inputs.value;
  if (query.rank() != 4 || key.rank() != 4 || value.rank() != 4)
    return call.refuse("expected [batch, heads, length, width], got " + spelled(query.shape) + ", " + spelled(key.shape) + " and " +
                       spelled(value.shape));
  const Extent &heads = query.shape[1], &pairs = key.shape[1];
  if (!heads.isConstant() || !pairs.isConstant() || !pairs.constant() || heads.constant() % pairs.constant() ||
      value.shape[1] != pairs)
    return call.refuse("expected heads of keys and values that divide those of queries, got " +
                       spelled({heads, pairs, value.shape[1]}));
  if (query.shape[3].isConstant() && key.shape[3].isConstant() && query.shape[3] != key.shape[3])
    return call.refuse("expected queries and keys of one width, got " + spelled(query.shape) + " and " + spelled(key.shape));
  e.requireEqual(query.shape[3], key.shape[3], call.place() + ": queries and keys differ in width");
  e.requireEqual(query.shape[0], key.shape[0], call.place() + ": queries and keys differ in batch");
  e.requireEqual(key.shape[2], value.shape[2], call.place() + ": keys and values differ in length");
  if (query.shape[0].isConstant() && key.shape[0].isConstant() && query.shape[0] != key.shape[0])
    return call.refuse("expected queries and keys of one batch, got " + spelled(query.shape) + " and " + spelled(key.shape));
  AttentionResult result;
  FailureOr<std::optional<Tensor>> rows = attendRows(call, inputs);
  if (failed(rows))
    return failure();
  if (*rows) {
    result.value = **rows;
    return result;
  }
  Extent group = heads.constant() / pairs.constant();
  DataType type = wide(query.type);
  auto grouped = [&](const Tensor &tensor) {
    return e.reshape(tensor, Shape{tensor.shape[0], pairs, group, tensor.shape[2], tensor.shape[3]});
  };
  Shape scoreLoops = {query.shape[0], pairs, group, query.shape[2], key.shape[2], query.shape[3]};
  Tensor products = e.contract(grouped(query), {0, 1, 2, 3, 5}, key, {0, 1, 4, 5}, scoreLoops, 5, type);
  Shape scoreShape = {query.shape[0], heads, query.shape[2], key.shape[2]};
  result.scores = e.map({e.reshape(products, scoreShape)}, scoreShape, type,
                        [&](Scalars &s, ValueRange x) { return s.multiply(x[0], s.like(x[0], inputs.scale)); });
  if (inputs.changeScores) {
    FailureOr<Tensor> changed = inputs.changeScores(result.scores);
    if (failed(changed))
      return failure();
    result.scores = *changed;
  }
  result.capped = inputs.softCap == 0 ? result.scores : e.map({result.scores}, scoreShape, type, [&](Scalars &s, ValueRange x) {
    Value cap = s.like(x[0], inputs.softCap);
    return s.multiply(cap, s.function<math::TanhOp>(s.divide(x[0], cap)));
  });
  FailureOr<Tensor> visible = masked(call, inputs, result.capped);
  if (failed(visible))
    return failure();
  result.masked = *visible;
  result.weights = weightsOf(e, result.masked, inputs.sinks);
  if (inputs.changeWeights) {
    FailureOr<Tensor> changed = inputs.changeWeights(result.weights);
    if (failed(changed))
      return failure();
    result.weights = *changed;
  }
  Shape valueLoops = {query.shape[0], pairs, group, query.shape[2], value.shape[3], key.shape[2]};
  Tensor sums = e.contract(grouped(result.weights), {0, 1, 2, 3, 5}, value, {0, 1, 5, 4}, valueLoops, 5, type);
  result.value = e.cast(e.reshape(sums, Shape{query.shape[0], heads, query.shape[2], value.shape[3]}), query.type);
  return result;
}

//===- Rotary embedding -----------------------------------------------------------------------------------------------------===//

Tensor onnx::rowsAt(Emitter &e, const Tensor &table, const Tensor &positions) {
  requireElements(e, table.shape[0], "a table of rotary embeddings");
  Value source = e.value(table), last = e.extents.value(e.extents.subtract(table.shape[0], 1));
  Shape shape = {positions.shape[0], positions.shape[1], table.shape[1]};
  return e.loop({positions}, {{0, 1}}, shape, 3, table.type, std::nullopt, [&](Scalars &s, ValueRange x) -> Value {
    Scalars indices(s.b);
    Value row = indices.maximum(indices.minimum(indices.toIndex(x[0]), last), indices.index(0));
    return tensor::ExtractOp::create(s.b, source, ValueRange{row, linalg::IndexOp::create(s.b, 2)});
  });
}

Tensor onnx::rotated(Emitter &e, const Tensor &tensor, const Rotation &rotation) {
  if (std::optional<Tensor> rows = rotatedRows(e, tensor, rotation))
    return *rows;
  int64_t half = rotation.dims / 2;
  Value source = e.value(tensor), cos = e.value(rotation.cos), sin = e.value(rotation.sin);
  bool oneBatch = rotation.cos.shape[0].is(1);
  DataType type = wide(tensor.type);
  return e.generate(tensor.shape, tensor.type, [&](Scalars &s, ValueRange at) {
    Value column = at[3], zero = s.index(0), one = s.index(1);
    Value isTurned = s.less(column, s.index(rotation.dims)), pair, isFirst, other;
    if (rotation.isInterleaved) {
      pair = arith::DivUIOp::create(s.b, column, s.index(2));
      isFirst = s.equal(arith::RemUIOp::create(s.b, column, s.index(2)), zero);
      other = s.select(isFirst, s.add(column, one), s.subtract(column, one));
    } else {
      isFirst = s.less(column, s.index(half));
      pair = s.select(isFirst, column, s.subtract(column, s.index(half)));
      other = s.select(isFirst, s.add(column, s.index(half)), s.subtract(column, s.index(half)));
    }
    // Beyond the turned elements nothing is read that would not be there.
    pair = s.select(isTurned, pair, zero);
    other = s.select(isTurned, other, column);
    auto read = [&](Value place) {
      return s.convert(tensor::ExtractOp::create(s.b, source, ValueRange{at[0], at[1], at[2], place}), tensor.type, type);
    };
    auto factor = [&](Value table, DataType of) {
      return s.convert(tensor::ExtractOp::create(s.b, table, ValueRange{oneBatch ? zero : at[0], at[2], pair}), of, type);
    };
    Value own = read(column), its = read(other);
    Value c = factor(cos, rotation.cos.type), n = factor(sin, rotation.sin.type);
    Value turned = s.add(s.multiply(own, c), s.multiply(s.select(isFirst, s.negate(its), its), n));
    return s.convert(s.select(isTurned, turned, own), type, tensor.type);
  });
}
