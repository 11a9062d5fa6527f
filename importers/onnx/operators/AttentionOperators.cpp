// Attention and RotaryEmbedding of the standard, FlexAttention, and com.microsoft's of the same kind.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Attention.h"
#include "importers/onnx/operators/Normalization.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// 1 / sqrt(width of a head), unless the attribute says otherwise.
static FailureOr<double> scaleOf(Call &call, const Tensor &query) {
  double scale = call.number("scale", 0);
  if (scale != 0)
    return scale;
  const Extent &width = query.shape.back();
  if (!width.isConstant() || width.constant() < 1)
    return call.refuse("attribute 'scale': expected it to be given where the width of a head is not known");
  return 1 / std::sqrt(static_cast<double>(width.constant()));
}

static Tensor appended(Call &call, size_t past, const Tensor &rows) {
  return call.has(past) ? call.e.concat({call.in(past), rows}, 2) : rows;
}

//===- The standard's -------------------------------------------------------------------------------------------------------===//

static LogicalResult attention(Call &call) {
  Emitter &e = call.e;
  int64_t heads = call.integer("q_num_heads", 0), pairs = call.integer("kv_num_heads", 0);
  bool isCausal = call.flag("is_causal"), isFlat = call.in(0).rank() == 3;
  int64_t left = call.integer("left_window_size", -1), right = call.integer("right_window_size", -1);
  int64_t mode = call.integer("qk_matmul_output_mode", 0);
  call.leaveAside("softmax_precision"); // never less than f32
  AttentionInputs inputs;
  Tensor query = call.in(0), key = call.in(1), value = call.in(2);
  if (isFlat) {
    FailureOr<Tensor> split[] = {splitHeads(call, query, heads), splitHeads(call, key, pairs), splitHeads(call, value, pairs)};
    if (llvm::any_of(split, [](auto &part) { return failed(part); }))
      return failure();
    query = *split[0], key = *split[1], value = *split[2];
  }
  if (query.rank() != 4 || key.rank() != 4 || value.rank() != 4)
    return call.refuse("expected queries, keys and values of 3 or 4 dimensions alike");
  for (size_t past : {4, 5})
    if (call.has(past) && (call.in(past).rank() != 4 || call.in(past).type != key.type || call.in(past).shape[1] != key.shape[1]))
      return call.refuse("past: expected [batch, heads, length, width] like the keys, got " + spelled(call.in(past).shape));
  inputs.query = query;
  inputs.key = appended(call, 4, key);
  inputs.value = appended(call, 5, value);
  FailureOr<double> scale = scaleOf(call, query);
  if (failed(scale))
    return failure();
  inputs.scale = *scale;
  inputs.softCap = call.number("softcap", 0);
  if (call.has(3))
    inputs.mask = call.in(3);
  inputs.wantsScores = call.wants(3);
  Value lengths, offset, rows = e.extents.value(query.shape[2]);
  if (call.has(6)) {
    if (call.in(6).rank() != 1 || !isInteger(call.in(6).type))
      return call.refuse("nonpad_kv_seqlen: expected a vector of integers, got " + spelled(call.in(6).shape));
    lengths = e.value(call.in(6));
  }
  offset = e.extents.value(call.has(4) ? call.in(4).shape[2] : Extent(0));
  if (lengths || isCausal || left >= 0 || right >= 0)
    inputs.visible = [=](Scalars &elements, Value batch, Value i, Value j) {
      Scalars s(elements.b);
      Value seen, length, begin = offset;
      auto also = [&](Value condition) { seen = seen ? s.both(seen, condition) : condition; };
      if (lengths) {
        length = s.toIndex(tensor::ExtractOp::create(s.b, lengths, batch));
        also(s.less(j, length));
        begin = s.subtract(length, rows);
      }
      Value at = s.add(i, begin);
      if (isCausal)
        also(s.lessOrEqual(j, at));
      if (left >= 0)
        also(s.lessOrEqual(s.subtract(at, j), s.index(left)));
      if (right >= 0)
        also(s.lessOrEqual(s.subtract(j, at), s.index(right)));
      return seen;
    };
  // Numbers say no more than what lies before a query, and a query beyond the keys sees none.
  bool isBeyond = !lengths && query.shape[2] != key.shape[2];
  if (right < 0 && (isCausal || left < 0) && !(isCausal && isBeyond)) {
    auto length = [=](Scalars &s, Value batch) { return s.toIndex(tensor::ExtractOp::create(s.b, lengths, batch)); };
    auto first = [=](Scalars &s, Value batch) { return lengths ? s.subtract(length(s, batch), rows) : offset; };
    inputs.counted = Counted{lengths ? CountFunction(length) : CountFunction(), isCausal ? CountFunction(first) : CountFunction(),
                             left >= 0 ? std::optional(left + 1) : std::nullopt};
  }
  FailureOr<AttentionResult> result = attend(call, inputs);
  if (failed(result))
    return failure();
  call.give(0, isFlat ? joinHeads(e, result->value) : result->value);
  call.give(1, inputs.key);
  call.give(2, inputs.value);
  const Tensor *onTheWay[] = {&result->scores, &result->capped, &result->masked, &result->weights};
  if (mode < 0 || mode > 3)
    return call.refuse("attribute 'qk_matmul_output_mode': expected 0 to 3, got " + Twine(mode));
  if (call.wants(3))
    call.give(3, e.cast(*onTheWay[mode], query.type));
  return success();
}

static LogicalResult flexAttention(Call &call) {
  AttentionInputs inputs;
  inputs.query = call.in(0), inputs.key = call.in(1), inputs.value = call.in(2);
  call.leaveAside("softmax_precision");
  if (inputs.query.rank() != 4)
    return call.refuse("expected 4 dimensions, got " + Twine(inputs.query.rank()));
  FailureOr<double> scale = scaleOf(call, inputs.query);
  if (failed(scale))
    return failure();
  inputs.scale = *scale;
  auto change = [&](StringRef name) -> std::function<FailureOr<Tensor>(Tensor)> {
    if (!call.hasAttribute(name))
      return {};
    const Graph *graph = call.graph(name);
    return [&call, graph, name](Tensor tensor) -> FailureOr<Tensor> {
      if (!graph)
        return failure();
      auto changed = call.build(*graph, {tensor});
      if (failed(changed) || changed->size() != 1 || changed->front().shape != tensor.shape || changed->front().type != tensor.type)
        return call.refuse("attribute '" + name + "': expected a graph from scores to scores of the same shape and type");
      return changed->front();
    };
  };
  inputs.changeScores = change("score_mod");
  inputs.changeWeights = change("prob_mod");
  FailureOr<AttentionResult> result = attend(call, inputs);
  if (failed(result))
    return failure();
  call.give(0, result->value);
  return success();
}

/// The table's rows for positions, or the table itself where it is of rows already.
static FailureOr<Rotation> rotationOf(Call &call, size_t cos, size_t sin, std::optional<Tensor> positions, int64_t dims,
                                      bool interleaved) {
  const Tensor &c = call.in(cos), &s = call.in(sin);
  int64_t rank = positions ? 2 : 3;
  // How many positions each table has may not be known, where a condition chooses them.
  bool areAlike = c.rank() == rank && s.rank() == rank && (positions ? c.shape[1] == s.shape[1] : c.shape == s.shape);
  if (!areAlike || !c.shape.back().isConstant())
    return call.refuse("cos_cache and sin_cache: expected " + Twine(rank) + " dimensions alike, got " + spelled(c.shape) + " and " +
                       spelled(s.shape));
  int64_t whole = 2 * c.shape.back().constant();
  if (dims && dims != whole)
    return call.refuse("cos_cache: expected half of " + Twine(dims) + " columns, got " + Twine(whole / 2));
  if (!positions)
    return Rotation{c, s, whole, interleaved};
  return Rotation{rowsAt(call.e, c, *positions), rowsAt(call.e, s, *positions), whole, interleaved};
}

/// [batch, heads, length, width] of a tensor in any of its layouts; the heads follow from the tables where no attribute says.
static FailureOr<Tensor> headsFirst(Call &call, const Tensor &input, int64_t heads, int64_t dims) {
  if (input.rank() == 4)
    return input;
  if (!heads && input.rank() == 3 && dims && input.shape[2].isConstant())
    heads = input.shape[2].constant() / dims;
  return splitHeads(call, input, heads);
}

static LogicalResult rotate(Call &call, const Rotation &rotation, const Tensor &input, const Tensor &split) {
  if (!split.shape[3].isConstant() || rotation.dims > split.shape[3].constant() || rotation.dims < 2)
    return call.refuse("cos_cache: expected at most half the width of a head, " + spelled({split.shape[3]}) + ", got " +
                       Twine(rotation.dims / 2));
  Emitter &e = call.e;
  const Extent &batch = rotation.cos.shape[0];
  if (!batch.is(1))
    e.requireEqual(batch, split.shape[0], call.place() + ": expected a position for every token");
  e.requireEqual(rotation.cos.shape[1], split.shape[2], call.place() + ": expected a position for every token");
  if (rotation.cos.shape[1].isConstant() && split.shape[2].isConstant() && rotation.cos.shape[1] != split.shape[2])
    return call.refuse("expected a position for each of " + spelled({split.shape[2]}) + " tokens, got " +
                       spelled({rotation.cos.shape[1]}));
  Tensor result = rotated(e, split, rotation);
  call.give(0, input.rank() == 3 ? joinHeads(e, result) : result);
  return success();
}

static LogicalResult rotaryEmbedding(Call &call) {
  int64_t dims = call.integer("rotary_embedding_dim", 0), heads = call.integer("num_heads", 0);
  std::optional<Tensor> positions = call.has(3) ? std::optional<Tensor>(call.in(3)) : std::nullopt;
  FailureOr<Rotation> rotation = rotationOf(call, 1, 2, positions, dims, call.flag("interleaved"));
  if (failed(rotation))
    return failure();
  FailureOr<Tensor> split = headsFirst(call, call.in(0), heads, dims ? 0 : rotation->dims);
  return failed(split) ? failure() : rotate(call, *rotation, call.in(0), *split);
}

//===- com.microsoft's ------------------------------------------------------------------------------------------------------===//

/// position_ids [1] is the position of the first token of every sequence; [batch, length] are all of them.
static LogicalResult offsetRotaryEmbedding(Call &call) {
  Emitter &e = call.e;
  const Tensor &input = call.in(0);
  Tensor positions = call.in(1);
  int64_t dims = call.integer("rotary_embedding_dim", 0), heads = call.integer("num_heads", 0);
  bool interleaved = call.flag("interleaved");
  call.leaveAside("is_packed_batching");
  if (call.number("scale", 1) != 1)
    return call.refuse("attribute 'scale': expected 1");
  const Tensor &table = call.in(2);
  if (table.rank() != 2 || !table.shape[1].isConstant())
    return call.refuse("cos_cache: expected [positions, columns], got " + spelled(table.shape));
  FailureOr<Tensor> split = headsFirst(call, input, heads, dims ? 0 : 2 * table.shape[1].constant());
  if (failed(split))
    return failure();
  if (positions.rank() == 1) {
    Value first = tensor::ExtractOp::create(e.b, e.value(positions), ValueRange{e.extents.value(0)});
    positions = e.generate({split->shape[0], split->shape[2]}, DataType::Int64, [&](Scalars &s, ValueRange at) -> Value {
      return s.add(s.convert(first, positions.type, DataType::Int64), arith::IndexCastOp::create(s.b, s.b.getI64Type(), at[1]));
    });
  }
  if (positions.rank() != 2)
    return call.refuse("position_ids: expected [1] or [batch, length], got " + spelled(positions.shape));
  FailureOr<Rotation> rotation = rotationOf(call, 2, 3, positions, dims, interleaved);
  return failed(rotation) ? failure() : rotate(call, *rotation, input, *split);
}

/// Positions of three kinds (time, height, width), [3, batch, length]; each pair of a head follows one of them.
static LogicalResult multimodalRotaryEmbedding(Call &call) {
  Emitter &e = call.e;
  const Tensor &input = call.in(0), &positions = call.in(1), &cos = call.in(2), &sin = call.in(3);
  int64_t dims = call.integer("rotary_embedding_dim", 0), heads = call.integer("num_heads", 0),
          layout = call.integer("mrope_layout", 0);
  std::vector<int64_t> sections = call.integers("mrope_section");
  bool interleaved = call.flag("interleaved");
  call.leaveAside("is_packed_batching");
  if (positions.rank() != 3 || !positions.shape[0].is(3) || sections.size() != 3 || (layout != 0 && layout != 1))
    return call.refuse("expected positions [3, batch, length], three sections, and mrope_layout 0 or 1");
  if (cos.rank() != 2 || cos.shape != sin.shape || !cos.shape[1].isConstant() || (dims && !cos.shape[1].is(dims / 2)))
    return call.refuse("cos_cache and sin_cache: expected [positions, " + Twine(dims / 2) + "] alike, got " + spelled(cos.shape));
  int64_t pairs = cos.shape[1].constant();
  SmallVector<Extent> kinds; // of every pair
  if (pairs > 4096)
    return call.refuse("cos_cache: expected at most 4096 columns, got " + Twine(pairs));
  for (int64_t pair = 0; pair < pairs; ++pair) {
    int64_t inTurns = pair % 3 && pair < 3 * sections[pair % 3] ? pair % 3 : 0;
    int64_t inRow = pair < sections[0] ? 0 : pair < sections[0] + sections[1] ? 1 : 2;
    kinds.push_back(layout ? inTurns : inRow);
  }
  Value kindOf = e.value(e.known(kinds, {pairs})), places = e.value(positions);
  auto rows = [&](const Tensor &table) {
    Value source = e.value(table), last = e.extents.value(e.extents.subtract(table.shape[0], 1));
    return e.generate({positions.shape[1], positions.shape[2], pairs}, table.type, [&](Scalars &s, ValueRange at) -> Value {
      Value kind = s.toIndex(tensor::ExtractOp::create(s.b, kindOf, at[2]));
      Value row = s.toIndex(tensor::ExtractOp::create(s.b, places, ValueRange{kind, at[0], at[1]}));
      row = s.maximum(s.minimum(row, last), s.index(0));
      return tensor::ExtractOp::create(s.b, source, ValueRange{row, at[2]});
    });
  };
  Rotation rotation{rows(cos), rows(sin), 2 * pairs, interleaved};
  FailureOr<Tensor> split = headsFirst(call, input, heads, 0);
  return failed(split) ? failure() : rotate(call, rotation, input, *split);
}

static LogicalResult multiHeadAttention(Call &call) {
  Emitter &e = call.e;
  int64_t heads = call.integer("num_heads", 0);
  bool isCausal = call.flag("unidirectional");
  call.leaveAside("mask_filter_value");
  AttentionInputs inputs;
  Tensor rows[3];
  if (!call.has(1)) { // [batch, length, heads, 3, width]
    const Tensor &packed = call.in(0);
    if (packed.rank() != 5 || !packed.shape[2].is(heads) || !packed.shape[3].is(3))
      return call.refuse("query: expected [batch, length, " + Twine(heads) + ", 3, width] where there is no key, got " +
                         spelled(packed.shape));
    for (int64_t part = 0; part < 3; ++part) {
      Tensor cut = e.sliceAxis(packed, 3, part, 1);
      rows[part] =
          e.transpose(e.reshape(cut, Shape{packed.shape[0], packed.shape[1], packed.shape[2], packed.shape[4]}), {0, 2, 1, 3});
    }
  } else {
    if (!call.has(2))
      return call.refuse("value: expected one beside the key");
    Extent from = 0;
    for (size_t part = 0; part < 3; ++part) {
      Tensor tensor = call.in(part);
      if (call.has(3) && tensor.rank() == 3) { // one bias for all three
        Tensor bias = e.sliceAxis(call.in(3), 0, from, tensor.shape[2]);
        from = e.extents.add(from, tensor.shape[2]);
        tensor = e.map({tensor, bias}, tensor.shape, tensor.type, [](Scalars &s, ValueRange x) { return s.add(x[0], x[1]); });
      }
      FailureOr<Tensor> split = tensor.rank() == 4 ? FailureOr<Tensor>(tensor) : splitHeads(call, tensor, heads);
      if (failed(split))
        return failure();
      rows[part] = *split;
    }
  }
  inputs.query = rows[0];
  inputs.key = appended(call, 6, rows[1]);
  inputs.value = appended(call, 7, rows[2]);
  FailureOr<double> scale = scaleOf(call, inputs.query);
  if (failed(scale))
    return failure();
  inputs.scale = *scale;
  if (call.has(5))
    inputs.mask = call.in(5);
  Value offset = e.extents.value(e.extents.subtract(inputs.key.shape[2], rows[0].shape[2])), lengths;
  if (call.has(4)) {
    if (call.in(4).rank() != 1 || !isInteger(call.in(4).type))
      return call.refuse("key_padding_mask: expected the number of keys of each sequence, got " + spelled(call.in(4).shape));
    lengths = e.value(call.in(4));
  }
  if (lengths || isCausal)
    inputs.visible = [=](Scalars &elements, Value batch, Value i, Value j) {
      Scalars s(elements.b);
      Value seen;
      if (lengths)
        seen = s.less(j, s.toIndex(tensor::ExtractOp::create(s.b, lengths, batch)));
      if (isCausal) {
        Value before = s.lessOrEqual(j, s.add(i, offset));
        seen = seen ? s.both(seen, before) : before;
      }
      return seen;
    };
  // With both, a query at a padded position still sees the keys before, which numbers do not say.
  if (!(lengths && isCausal)) {
    auto length = [=](Scalars &s, Value batch) { return s.toIndex(tensor::ExtractOp::create(s.b, lengths, batch)); };
    auto first = [=](Scalars &, Value) { return offset; };
    inputs.counted =
        Counted{lengths ? CountFunction(length) : CountFunction(), isCausal ? CountFunction(first) : CountFunction(), std::nullopt};
  }
  FailureOr<AttentionResult> result = attend(call, inputs);
  if (failed(result))
    return failure();
  call.give(0, joinHeads(e, result->value));
  call.give(1, inputs.key);
  call.give(2, inputs.value);
  return success();
}

ArrayRef<Operator> onnx::attentionOperators() {
  static constexpr Operator operators[] = {{"Attention", attention, 3, 7, 4, 23},
                                           {"RotaryEmbedding", rotaryEmbedding, 3, 4, 1, 23}};
  return operators;
}

ArrayRef<Operator> onnx::previewOperators() {
  static constexpr Operator operators[] = {{"FlexAttention", flexAttention, 3, 3}};
  return operators;
}

ArrayRef<Operator> onnx::multiHeadAttentionOperators() {
  static constexpr Operator operators[] = {{"RotaryEmbedding", offsetRotaryEmbedding, 4, 4},
                                           {"MRotaryEmbedding", multimodalRotaryEmbedding, 4, 4},
                                           {"MultiHeadAttention", multiHeadAttention, 1, 10, 4}};
  return operators;
}
