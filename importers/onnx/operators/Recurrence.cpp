// Layers with a state instead of a cache: linear attention and causal convolutions, and what surrounds them in GenAI's exports.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Attention.h"
#include "importers/onnx/operators/Normalization.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// Entry `index` of the third dimension of [batch, heads, length, width].
static Tensor tokenOf(Emitter &e, const Tensor &tensor, const Extent &index) {
  Tensor cut = e.sliceAxis(tensor, 2, index, 1);
  return e.reshape(cut, Shape{tensor.shape[0], tensor.shape[1], tensor.shape[3]});
}

namespace {
struct LinearAttention {
  Tensor query, key, value;          ///< [batch, heads, length, width], f32
  std::optional<Tensor> decay, rate; ///< the same, of width 1 or the keys'; heads may be 1
  double scale;
};
} // namespace

/// One token: the state decays, takes in what the key does not already retrieve, and is read by the query.
static std::pair<Tensor, Tensor> step(Emitter &e, const LinearAttention &layer, Tensor state, const Extent &index) {
  const Shape &shape = state.shape; // batch, heads, keys' width, values' width
  DataType type = DataType::Float32;
  Tensor key = tokenOf(e, layer.key, index), value = tokenOf(e, layer.value, index);
  if (layer.decay) {
    Tensor decay = tokenOf(e, *layer.decay, index);
    int width = decay.shape[2].is(1) && !shape[2].is(1) ? broadcast : 2;
    state = e.loop({state, decay}, {{0, 1, 2, 3}, {0, 1, width}}, shape, 4, type, std::nullopt,
                   [](Scalars &s, ValueRange x) { return s.multiply(x[0], s.exponential(x[1])); });
  }
  if (layer.rate) {
    Tensor retrieved = e.contract(state, {0, 1, 3, 2}, key, {0, 1, 3}, {shape[0], shape[1], shape[3], shape[2]}, 3, type);
    Tensor rate = tokenOf(e, *layer.rate, index);
    value = e.map({value, retrieved, rate}, value.shape, type,
                  [](Scalars &s, ValueRange x) { return s.multiply(x[2], s.subtract(x[0], x[1])); });
  }
  state = e.loop({state, key, value}, {{0, 1, 2, 3}, {0, 1, 2}, {0, 1, 3}}, shape, 4, type, std::nullopt,
                 [](Scalars &s, ValueRange x) { return s.add(x[0], s.multiply(x[1], x[2])); });
  Tensor query = tokenOf(e, layer.query, index);
  Extent group = e.extents.divide(query.shape[1], shape[1]);
  Tensor grouped = e.reshape(query, Shape{shape[0], shape[1], group, shape[2]});
  Tensor read = e.contract(grouped, {0, 1, 2, 4}, state, {0, 1, 4, 3}, {shape[0], shape[1], group, shape[3], shape[2]}, 4, type);
  read = e.map({read}, read.shape, type, [&](Scalars &s, ValueRange x) { return s.multiply(x[0], s.like(x[0], layer.scale)); });
  return {state, e.reshape(read, Shape{shape[0], 1, query.shape[1], shape[3]})};
}

static FailureOr<std::optional<Tensor>> perToken(Call &call, size_t index, int64_t heads, bool isWanted) {
  if (call.has(index) != isWanted)
    return call.refuse("input " + Twine(index) + ": expected " + (isWanted ? "it, as" : "none, as") +
                       " attribute 'update_rule' says");
  if (!isWanted)
    return std::optional<Tensor>();
  const Tensor &tensor = call.in(index);
  if (tensor.rank() != 3 || !tensor.shape[2].isConstant())
    return call.refuse("input " + Twine(index) + ": expected [batch, length, width], got " + spelled(tensor.shape));
  int64_t width = tensor.shape[2].constant();
  FailureOr<Tensor> split = splitHeads(call, call.e.cast(tensor, DataType::Float32), width == 1 ? 1 : heads);
  if (failed(split))
    return failure();
  return std::optional<Tensor>(*split);
}

static LogicalResult linearAttention(Call &call) {
  Emitter &e = call.e;
  int64_t heads = call.integer("q_num_heads", 0), pairs = call.integer("kv_num_heads", 0);
  StringRef rule = call.text("update_rule", "gated_delta");
  call.leaveAside("chunk_size"); // how fast, not what
  if (call.integer("state_window", 0))
    return call.refuse("attribute 'state_window': expected 0");
  if (heads < 1 || pairs < 1 || heads % pairs)
    return call.refuse("attribute 'kv_num_heads': expected a number that divides q_num_heads, " + Twine(heads) + ", got " +
                       Twine(pairs));
  if (!llvm::is_contained({"linear", "gated", "delta", "gated_delta"}, rule))
    return call.refuse("attribute 'update_rule': expected linear, gated, delta or gated_delta, got '" + rule + "'");
  auto wide = [&](size_t index) { return e.cast(call.in(index), DataType::Float32); };
  FailureOr<Tensor> query = splitHeads(call, wide(0), heads), key = splitHeads(call, wide(1), pairs),
                    value = splitHeads(call, wide(2), pairs);
  auto decay = perToken(call, 4, pairs, rule.starts_with("gated")), rate = perToken(call, 5, pairs, rule.ends_with("delta"));
  if (failed(query) || failed(key) || failed(value) || failed(decay) || failed(rate))
    return failure();
  Shape stateShape = {query->shape[0], pairs, key->shape[3], value->shape[3]};
  if (query->shape[3] != key->shape[3] || !key->shape[3].isConstant())
    return call.refuse("expected queries and keys of one known width, got " + spelled(query->shape) + " and " +
                       spelled(key->shape));
  double scale = call.number("scale", 0);
  LinearAttention layer{*query, *key, *value, *decay, *rate, scale == 0 ? 1 / std::sqrt(double(key->shape[3].constant())) : scale};
  Tensor begin = e.filled(stateShape, DataType::Float32, 0);
  if (call.has(3)) {
    if (call.in(3).shape != stateShape)
      return call.refuse("past_state: expected " + spelled(stateShape) + ", got " + spelled(call.in(3).shape));
    begin = wide(3);
  }
  Shape outShape = {query->shape[0], query->shape[2], heads, value->shape[3]};
  Value zero = e.extents.value(0), one = e.extents.value(1), length = e.extents.value(query->shape[2]);
  Value room = tensor::EmptyOp::create(e.b, e.tensorType(outShape, DataType::Float32), e.extents.dynamicSizes(outShape));
  auto loop = scf::ForOp::create(e.b, zero, length, one, ValueRange{e.value(begin), room});
  {
    OpBuilder::InsertionGuard guard(e.b);
    Extents::Region region(e.extents);
    e.b.setInsertionPointToStart(loop.getBody());
    Extent index = e.extents.of(loop.getInductionVar(), true);
    auto [state, read] = step(e, layer, e.tensor(loop.getRegionIterArg(0), DataType::Float32, stateShape), index);
    Shape offsets = {0, index, 0, 0};
    SmallVector<OpFoldResult> strides(4, e.b.getIndexAttr(1));
    Value out = tensor::InsertSliceOp::create(e.b, read.value, loop.getRegionIterArg(1), e.extents.sizes(offsets),
                                              e.extents.sizes(read.shape), strides);
    scf::YieldOp::create(e.b, ValueRange{state.value, out});
  }
  Tensor output = e.tensor(loop.getResult(1), DataType::Float32, outShape);
  Shape flat = {outShape[0], outShape[1], e.extents.multiply(outShape[2], outShape[3])};
  call.give(0, e.cast(e.reshape(output, flat), call.in(0).type));
  call.give(1, e.cast(e.tensor(loop.getResult(0), DataType::Float32, stateShape), call.has(3) ? call.in(3).type : call.in(0).type));
  return success();
}

static LogicalResult causalConvolution(Call &call) {
  Emitter &e = call.e;
  const Tensor &input = call.in(0), &weight = call.in(1);
  StringRef activation = call.text("activation", "none");
  if (call.integer("ndim", 1) != 1 || call.integer("state_window", 0) != 0)
    return call.refuse("attributes 'ndim' and 'state_window': expected 1 and 0");
  if (!llvm::is_contained({"none", "silu", "swish"}, activation))
    return call.refuse("attribute 'activation': expected none, silu or swish, got '" + activation + "'");
  if (input.rank() != 3 || weight.rank() != 3 || !weight.shape[1].is(1) || !weight.shape[2].isConstant() ||
      !weight.shape[2].constant())
    return call.refuse("expected an input [batch, channels, length] and weights [channels, 1, taps], got " + spelled(input.shape) +
                       " and " + spelled(weight.shape));
  if (weight.shape[0] != input.shape[1] && weight.shape[0].isConstant() && input.shape[1].isConstant())
    return call.refuse("weights: expected one for each of " + spelled({input.shape[1]}) + " channels, got " +
                       spelled({weight.shape[0]}));
  e.requireEqual(weight.shape[0], input.shape[1], call.place() + ": expected weights for every channel");
  Extent before = e.extents.subtract(weight.shape[2], 1);
  Shape stateShape = {input.shape[0], input.shape[1], before};
  if (call.has(3) && call.in(3).shape != stateShape && call.in(3).rank() != 3)
    return call.refuse("past_state: expected " + spelled(stateShape) + ", got " + spelled(call.in(3).shape));
  if (call.has(3) && call.in(3).shape[2] != before)
    return call.refuse("past_state: expected " + spelled(stateShape) + ", got " + spelled(call.in(3).shape));
  Tensor padded = e.concat({call.has(3) ? call.in(3) : e.filled(stateShape, input.type, 0), input}, 2);
  Value source = e.value(padded);
  Shape loops = {input.shape[0], input.shape[1], input.shape[2], weight.shape[2]};
  DataType type = wide(input.type);
  Tensor sum = e.loop({weight}, {{1, broadcast, 3}}, loops, 3, type, 0, [&](Scalars &s, ValueRange x) {
    Scalars indices(s.b);
    Value at[] = {linalg::IndexOp::create(s.b, 0), linalg::IndexOp::create(s.b, 1),
                  indices.add(linalg::IndexOp::create(s.b, 2), linalg::IndexOp::create(s.b, 3))};
    Value element = s.convert(tensor::ExtractOp::create(s.b, source, at), padded.type, type);
    return s.add(x[1], s.multiply(s.convert(x[0], weight.type, type), element));
  });
  SmallVector<Tensor, 2> inputs = {sum};
  if (call.has(2)) {
    if (call.in(2).rank() != 1)
      return call.refuse("bias: expected one for each channel, got " + spelled(call.in(2).shape));
    inputs.push_back(e.reshape(call.in(2), Shape{call.in(2).shape[0], 1}));
  }
  FailureOr<Shape> shape = call.broadcastShape(inputs);
  if (failed(shape))
    return failure();
  call.give(0, e.map(inputs, *shape, input.type, [&](Scalars &s, ValueRange x) {
    Value result = inputs.size() > 1 ? s.add(x[0], x[1]) : x[0];
    return activation == "none" ? result : s.multiply(result, s.sigmoid(result));
  }));
  call.give(1, e.sliceAxis(padded, 2, input.shape[2], before));
  return success();
}

/// The decay neg_exp_A softplus(a + dt_bias) and the rate sigmoid(b) of a gated delta rule.
static LogicalResult linearAttentionGate(Call &call) {
  Emitter &e = call.e;
  SmallVector<Tensor, 2> inputs = {call.in(0), call.in(1), call.in(2)};
  FailureOr<Shape> shape = call.broadcastShape(inputs);
  if (failed(shape))
    return failure();
  call.give(0, e.map(inputs, *shape, call.in(0).type, [](Scalars &s, ValueRange x) {
    Value sum = s.add(x[0], x[1]), magnitude = s.exponential(s.negate(s.absolute(sum)));
    return s.multiply(x[2], s.add(s.maximum(sum, s.like(sum, 0)), s.function<math::Log1pOp>(magnitude)));
  }));
  call.give(1, e.map({call.in(3)}, call.in(3).shape, call.in(3).type, [](Scalars &s, ValueRange x) { return s.sigmoid(x[0]); }));
  return success();
}

/// The norm of groups as wide as the weight, times silu of the gate.
static LogicalResult gatedRMSNorm(Call &call) {
  Emitter &e = call.e;
  const Tensor &input = call.in(0), &weight = call.in(1), &gate = call.in(2);
  double epsilon = call.number("epsilon", 1e-6f);
  if (weight.rank() != 1 || !weight.shape[0].isConstant() || !input.rank() ||
      !e.extents.isMultiple(input.shape.back(), weight.shape[0]))
    return call.refuse("weight: expected one whose size divides the input's width, got " + spelled(weight.shape));
  Shape groups(input.shape.begin(), input.shape.end() - 1);
  groups.append({e.extents.divide(input.shape.back(), weight.shape[0]), weight.shape[0]});
  FailureOr<Tensor> norm = rmsNorm(call, e.reshape(input, groups), weight, groups.size() - 1, epsilon, nullptr);
  if (failed(norm))
    return failure();
  return call.elementwise({e.reshape(*norm, input.shape), gate},
                          [](Scalars &s, ValueRange x) { return s.multiply(x[0], s.multiply(x[1], s.sigmoid(x[1]))); });
}

static LogicalResult gatedAdd(Call &call) {
  return call.elementwise({call.in(0), call.in(1), call.in(2)},
                          [](Scalars &s, ValueRange x) { return s.add(x[0], s.multiply(x[1], x[2])); });
}

ArrayRef<Operator> onnx::recurrenceOperators() {
  static constexpr Operator operators[] = {{"LinearAttention", linearAttention, 3, 6, 2, 27},
                                           {"CausalConvWithState", causalConvolution, 2, 4, 2, 27}};
  return operators;
}

ArrayRef<Operator> onnx::gatedOperators() {
  static constexpr Operator operators[] = {{"LinearAttention", linearAttention, 3, 6, 2},
                                           {"CausalConvWithState", causalConvolution, 2, 4, 2},
                                           {"LinearAttentionGate", linearAttentionGate, 4, 4, 2},
                                           {"GatedRMSNorm", gatedRMSNorm, 3, 3},
                                           {"GatedAdd", gatedAdd, 3, 3}};
  return operators;
}
