// com.microsoft.GroupQueryAttention: rotary embedding, an append to the cache and attention in one operator.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Attention.h"
#include "importers/onnx/operators/Normalization.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

enum Input : size_t {
  Query,
  Key,
  Value_,
  PastKey,
  PastValue,
  Lengths, ///< of each sequence with the new tokens, less 1
  TotalLength,
  Cos,
  Sin,
  Positions,
  Bias,
  Sinks,
  KeyScale,
  ValueScale,
  QueryNorm,
  KeyNorm
};

struct Heads {
  Tensor query, key, value; ///< [batch, heads, length, width]
};

/// What is known of the cache when it runs. A sliding one holds the last positions alone: those before the new rows, then, after a
/// shift, those up to the last new row.
struct Cache {
  Extent room;   ///< rows of past and new ones together
  Value lengths; ///< i32 or i64 [batch]
  Value isPrompt, newRows, pastRows;
  bool slides = false;

  /// Positions of sequence `batch` with the new ones.
  Value totalOf(Scalars &s, Value batch) const {
    Scalars indices(s.b);
    return indices.add(indices.toIndex(tensor::ExtractOp::create(s.b, lengths, batch)), indices.index(1));
  }
  /// The position of its first new row: a prompt is padded on the right.
  Value beginOf(Scalars &s, Value batch) const {
    Scalars indices(s.b);
    Value before = indices.maximum(indices.subtract(totalOf(s, batch), newRows), indices.index(0));
    return indices.select(isPrompt, indices.index(0), before);
  }
  /// The position of the first row that is held.
  Value firstOf(Scalars &s, Value batch) const {
    Scalars indices(s.b);
    return slides ? indices.maximum(indices.subtract(beginOf(s, batch), pastRows), indices.index(0)) : indices.index(0);
  }
};

} // namespace

static FailureOr<Heads> readHeads(Call &call, int64_t heads, int64_t pairs) {
  Emitter &e = call.e;
  Tensor query = call.in(Query);
  if (query.rank() != 3 || !query.shape[2].isConstant())
    return call.refuse("query: expected [batch, length, width], got " + spelled(query.shape));
  Tensor key, value;
  if (call.has(Key)) {
    if (!call.has(Value_))
      return call.refuse("value: expected one beside the key");
    key = call.in(Key), value = call.in(Value_);
  } else { // queries, keys and values in one
    int64_t width = query.shape[2].constant(), all = heads + 2 * pairs;
    if (width % all)
      return call.refuse("query: expected a width that " + Twine(all) + " heads divide, got " + Twine(width));
    int64_t head = width / all;
    key = e.sliceAxis(query, 2, heads * head, pairs * head);
    value = e.sliceAxis(query, 2, (heads + pairs) * head, pairs * head);
    query = e.sliceAxis(query, 2, 0, heads * head);
  }
  FailureOr<Tensor> q = splitHeads(call, query, heads), k = splitHeads(call, key, pairs), v = splitHeads(call, value, pairs);
  if (failed(q) || failed(k) || failed(v))
    return failure();
  return Heads{*q, *k, *v};
}

/// The norms of single heads of queries and keys.
static LogicalResult normalizeHeads(Call &call, Heads &heads) {
  double epsilon = call.number("qk_norm_epsilon", 1e-6f);
  for (auto [weight, tensor] : {std::pair(QueryNorm, &heads.query), std::pair(KeyNorm, &heads.key)}) {
    if (!call.has(weight))
      continue;
    FailureOr<Tensor> norm = rmsNorm(call, *tensor, call.in(weight), 3, epsilon, nullptr);
    if (failed(norm))
      return failure();
    *tensor = *norm;
  }
  return success();
}

static LogicalResult rotateHeads(Call &call, Heads &heads, const Cache &cache) {
  bool isAsked = call.flag("do_rotary"), interleaved = call.flag("rotary_interleaved");
  if (!isAsked)
    return success();
  // How many positions each has may not be known, where a condition chooses tables.
  if (!call.has(Cos) || !call.has(Sin) || call.in(Cos).rank() != 2 || call.in(Sin).rank() != 2 ||
      call.in(Sin).shape[1] != call.in(Cos).shape[1] || !call.in(Cos).shape[1].isConstant())
    return call.refuse("cos_cache and sin_cache: expected [positions, columns] alike, as do_rotary says");
  Emitter &e = call.e;
  int64_t dims = 2 * call.in(Cos).shape[1].constant();
  if (!heads.query.shape[3].isConstant() || dims > heads.query.shape[3].constant() || dims < 2)
    return call.refuse("cos_cache: expected at most half the width of a head, got " + Twine(dims / 2));
  Tensor positions;
  if (call.has(Positions)) {
    positions = call.in(Positions);
    if (positions.rank() != 2)
      return call.refuse("position_ids: expected [batch, length], got " + spelled(positions.shape));
  } else {
    positions = e.generate({heads.query.shape[0], heads.query.shape[2]}, DataType::Int64, [&](Scalars &s, ValueRange at) -> Value {
      return arith::IndexCastOp::create(s.b, s.b.getI64Type(), s.add(cache.beginOf(s, at[0]), at[1]));
    });
  }
  Rotation rotation{rowsAt(e, call.in(Cos), positions), rowsAt(e, call.in(Sin), positions), dims, interleaved};
  heads.query = rotated(e, heads.query, rotation);
  heads.key = rotated(e, heads.key, rotation);
  return success();
}

/// past with the new rows written over it.
static Tensor present(Emitter &e, const Cache &cache, const Tensor &rows, std::optional<Tensor> past) {
  Shape shape = {rows.shape[0], rows.shape[1], cache.room, rows.shape[3]};
  Value fresh = e.value(rows), before = past ? e.value(*past) : Value();
  Value count = e.extents.value(rows.shape[2]), pastCount = past ? e.extents.value(past->shape[2]) : Value();
  return e.generate(shape, rows.type, [&](Scalars &s, ValueRange at) {
    Value zero = s.index(0), one = s.index(1);
    Value begin = s.subtract(cache.beginOf(s, at[0]), cache.firstOf(s, at[0])), place = s.subtract(at[2], begin);
    Value isNew = s.both(s.lessOrEqual(zero, place), s.less(place, count));
    Value clamped = s.maximum(s.minimum(place, s.subtract(count, one)), zero);
    Value element = tensor::ExtractOp::create(s.b, fresh, ValueRange{at[0], at[1], clamped, at[3]});
    Value nothing = s.number(element.getType(), 0);
    if (!before)
      return s.select(isNew, element, nothing);
    // A past of no rows has none to read.
    auto branch = scf::IfOp::create(
        s.b, s.less(at[2], pastCount),
        [&](OpBuilder &b, Location location) {
          scf::YieldOp::create(b, location,
                               tensor::ExtractOp::create(b, location, before, ValueRange{at[0], at[1], at[2], at[3]}).getResult());
        },
        [&](OpBuilder &b, Location location) { scf::YieldOp::create(b, location, nothing); });
    return s.select(isNew, element, branch.getResult(0));
  });
}

/// Of all rows of a sliding cache, those that the next step finds.
static Tensor afterShift(Emitter &e, const Cache &cache, const Tensor &rows, const Extent &kept) {
  Value source = e.value(rows);
  Shape shape = rows.shape;
  shape[2] = kept;
  return e.generate(shape, rows.type, [&](Scalars &s, ValueRange at) -> Value {
    Value first = s.maximum(s.subtract(cache.totalOf(s, at[0]), cache.pastRows), s.index(0));
    Value row = s.add(at[2], s.subtract(first, cache.firstOf(s, at[0])));
    row = s.maximum(s.minimum(row, s.subtract(s.add(cache.pastRows, cache.newRows), s.index(1))), s.index(0));
    return tensor::ExtractOp::create(s.b, source, ValueRange{at[0], at[1], row, at[3]});
  });
}

static LogicalResult groupQueryAttention(Call &call) {
  Emitter &e = call.e;
  int64_t heads = call.integer("num_heads", 0), pairs = call.integer("kv_num_heads", 0);
  if (heads < 1 || pairs < 1 || heads % pairs)
    return call.refuse("attribute 'kv_num_heads': expected a number that divides num_heads, " + Twine(heads) + ", got " +
                       Twine(pairs));
  for (StringRef name : {"kv_cache_bit_width", "qk_output"})
    if (call.integer(name, 0) != 0)
      return call.refuse("attribute '" + name + "' is not supported");
  for (StringRef name : {"k_quant_type", "v_quant_type"})
    if (StringRef kind = call.text(name, "NONE"); kind != "NONE")
      return call.refuse("attribute '" + name + "': quantised caches are not supported");
  for (size_t index : {size_t(KeyScale), size_t(ValueScale)})
    if (call.has(index))
      return call.refuse("quantised caches are not supported");
  FailureOr<Heads> read = readHeads(call, heads, pairs);
  if (failed(read) || failed(normalizeHeads(call, *read)))
    return failure();
  if (!call.has(Lengths) || !call.has(TotalLength) || call.in(Lengths).rank() != 1 || !isInteger(call.in(Lengths).type) ||
      !call.in(TotalLength).isStatic() || call.in(TotalLength).count() != 1)
    return call.refuse("seqlens_k and total_sequence_length: expected integers [batch] and one integer");
  std::optional<Tensor> pastKey, pastValue;
  if (call.has(PastKey) && call.has(PastValue)) {
    pastKey = call.in(PastKey), pastValue = call.in(PastValue);
    for (const Tensor *past : {&*pastKey, &*pastValue}) {
      if (past->rank() == 4)
        e.requireEqual(past->shape[3], read->key.shape[3], call.place() + ": past and new keys differ in width");
      if (past->rank() != 4 || !past->shape[1].is(pairs) || past->type != read->key.type ||
          (past->shape[3].isConstant() && read->key.shape[3].isConstant() && past->shape[3] != read->key.shape[3]))
        return call.refuse("past: expected [batch, " + Twine(pairs) + ", length, width] like the keys, got " +
                           spelled(past->shape));
    }
  }
  Cache cache;
  Extent total = e.extents.maximum(e.integers(call.in(TotalLength)).front(), 0), past = pastKey ? pastKey->shape[2] : Extent(0);
  cache.slides = call.flag("sliding_window_cache");
  cache.room = cache.slides ? e.extents.add(past, read->query.shape[2]) : e.extents.maximum(total, past);
  cache.pastRows = e.extents.value(past);
  cache.lengths = e.value(call.in(Lengths));
  cache.newRows = e.extents.value(read->query.shape[2]);
  Scalars s(e.b);
  cache.isPrompt = s.either(s.equal(cache.newRows, e.extents.value(total)), s.equal(e.extents.value(past), s.index(0)));
  if (failed(rotateHeads(call, *read, cache)))
    return failure();

  AttentionInputs inputs;
  inputs.query = read->query;
  inputs.key = present(e, cache, read->key, pastKey);
  inputs.value = present(e, cache, read->value, pastValue);
  inputs.scale = call.number("scale", 0);
  if (inputs.scale == 0) {
    if (!read->query.shape[3].isConstant() || read->query.shape[3].constant() < 1)
      return call.refuse("attribute 'scale': expected it to be given where the width of a head is not known");
    inputs.scale = 1 / std::sqrt(static_cast<double>(read->query.shape[3].constant()));
  }
  inputs.softCap = call.number("softcap", 0);
  int64_t window = call.integer("local_window_size", -1);
  bool isCausal = call.flag("causal", true);
  if (call.has(Bias))
    inputs.mask = call.in(Bias);
  bool isSmooth = call.integer("smooth_softmax", 0) == 1; // the softmax's denominator has 1 more
  if (call.has(Sinks))
    inputs.sinks = call.in(Sinks);
  else if (isSmooth)
    inputs.sinks = e.filled({heads}, DataType::Float32, 0);
  inputs.visible = [cache, window, isCausal](Scalars &elements, Value batch, Value row, Value column) {
    Scalars s(elements.b);
    Value first = cache.firstOf(s, batch), total = s.subtract(cache.totalOf(s, batch), first);
    Value at = s.add(s.subtract(cache.beginOf(s, batch), first), row);
    Value seen = s.both(s.less(column, total), s.less(at, total));
    if (isCausal)
      seen = s.both(seen, s.lessOrEqual(column, at));
    if (window > 0)
      seen = s.both(seen, s.less(s.subtract(at, column), s.index(window)));
    return seen;
  };
  if (isCausal)
    inputs.counted =
        Counted{[cache](Scalars &s, Value batch) { return s.subtract(cache.totalOf(s, batch), cache.firstOf(s, batch)); },
                [cache](Scalars &s, Value batch) { return s.subtract(cache.beginOf(s, batch), cache.firstOf(s, batch)); },
                window > 0 ? std::optional(window) : std::nullopt};
  FailureOr<AttentionResult> result = attend(call, inputs);
  if (failed(result))
    return failure();
  call.give(0, joinHeads(e, result->value));
  call.give(1, cache.slides ? afterShift(e, cache, inputs.key, past) : inputs.key);
  call.give(2, cache.slides ? afterShift(e, cache, inputs.value, past) : inputs.value);
  return success();
}

ArrayRef<Operator> onnx::groupQueryAttentionOperators() {
  static constexpr Operator operators[] = {{"GroupQueryAttention", groupQueryAttention, 1, 16, 3}};
  return operators;
}
