// com.microsoft's MoE and QMoE: a router's logits and experts' weights, as moe.route and moe.experts.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Normalization.h"
#include "importers/onnx/operators/Packed.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

/// What both operators say in attributes.
struct Mixture {
  int64_t k = 1, fusion = 0;
  bool normalize = false, sparseMixer = false;
  StringRef activation;
  double alpha = 1, beta = 0;
  std::optional<double> limit;
  bool isGated = false; ///< the activation has two inputs
};

/// A projection of all experts, from which rows are taken.
struct Projection {
  int64_t experts, rows, columns;
  std::function<Value(int64_t from, int64_t step, int64_t count)> rowsOf;
};

/// The numbers of inputs, which differ between the operators.
struct Places {
  size_t fc1, bias1, fc2, bias2, fc3, bias3;
};

} // namespace

static FailureOr<Mixture> readMixture(Call &call) {
  Mixture mixture;
  mixture.k = call.integer("k", 1);
  mixture.fusion = call.integer("swiglu_fusion", 0);
  mixture.normalize = call.flag("normalize_routing_weights");
  mixture.sparseMixer = call.flag("use_sparse_mixer");
  mixture.activation = call.text("activation_type", "relu");
  mixture.alpha = call.number("activation_alpha", 1);
  mixture.beta = call.number("activation_beta", 0);
  if (call.hasAttribute("swiglu_limit"))
    mixture.limit = call.number("swiglu_limit", 0);
  if (!llvm::is_contained({"relu", "relu2", "gelu", "silu", "swiglu", "geglu", "identity"}, mixture.activation))
    return call.refuse("attribute 'activation_type': expected relu, relu2, gelu, silu, swiglu, geglu or identity, got '" +
                       mixture.activation + "'");
  if (mixture.fusion < 0 || mixture.fusion > 2)
    return call.refuse("attribute 'swiglu_fusion': expected 0, 1 or 2, got " + Twine(mixture.fusion));
  if (mixture.k < 1)
    return call.refuse("attribute 'k': expected at least 1, got " + Twine(mixture.k));
  if (call.flag("swiglu_limit_after_activation") && mixture.limit)
    return call.refuse("attribute 'swiglu_limit_after_activation': a limit after the activation is not supported");
  mixture.isGated = mixture.activation == "swiglu" || mixture.activation == "geglu";
  return mixture;
}

/// gate and up combined, as moe says it. Where an activation has one input, up repeats gate's weights: bounded to 0 and offset by 1
/// it leaves f(gate), and as it is, it squares.
static moe::ActivationAttr activationOf(MLIRContext *context, const Mixture &mixture, bool hasThird) {
  using moe::ActivationKind;
  bool isLinear = mixture.isGated || hasThird || mixture.activation == "relu2";
  ActivationKind kind = mixture.activation.starts_with("relu")                          ? ActivationKind::ReLU
                        : mixture.activation == "gelu" || mixture.activation == "geglu" ? ActivationKind::GELUTanh
                        : mixture.activation == "identity"                              ? ActivationKind::Identity
                                                                                        : ActivationKind::SiLU;
  std::optional<moe::F64> gateMax, upLimit;
  bool isSwiGLU = mixture.activation == "swiglu";
  if (isSwiGLU && mixture.limit)
    gateMax = upLimit = moe::F64(*mixture.limit);
  if (!isLinear)
    upLimit = moe::F64(0.0);
  double offset = isSwiGLU ? mixture.beta : isLinear ? 0 : 1;
  return moe::ActivationAttr::get(context, kind, moe::F64(isSwiGLU ? mixture.alpha : 1.0), gateMax, upLimit, moe::F64(offset));
}

namespace {
/// The chosen experts of every token, and their weights, as moe.experts takes them.
struct Routing {
  Value ids, weights;
};
} // namespace

/// PhiMoE's way, which moe.route cannot say: one expert after the other, each weighted by a softmax over the experts that are
/// within twice 0.01 of the best.
static Routing sparselyMixed(Emitter &e, const Tensor &given, int64_t k) {
  constexpr DataType type = DataType::Float32;
  Tensor scores = e.cast(given, type), left = scores;
  const Extent &tokens = scores.shape[0];
  SmallVector<Tensor, 2> ids, weights;
  for (int64_t turn = 0; turn < k; ++turn) {
    Tensor best = e.maximum(left, {1});
    Tensor near = e.map({scores, left, best}, scores.shape, type, [](Scalars &s, ValueRange x) {
      Value distance = s.divide(s.subtract(x[2], x[0]), s.maximum(s.absolute(x[0]), x[2]));
      return s.select(s.less(s.like(distance, 0.02), distance), s.infinity(x[1].getType(), true), x[1]);
    });
    Tensor shares = softmax(e, near, 1);
    // The first expert that is the best.
    Tensor chosen = e.loop({left, best}, {{0, 1}, {0, broadcast}}, scores.shape, 1, DataType::Int32,
                           std::numeric_limits<double>::infinity(), [](Scalars &s, ValueRange x) {
                             Scalars indices(s.b);
                             Value here = arith::IndexCastOp::create(s.b, s.b.getI32Type(), linalg::IndexOp::create(s.b, 1));
                             return s.select(s.equal(x[0], x[1]), indices.minimum(x[2], here), x[2]);
                           });
    auto isChosen = [](Scalars &s, Value expert) -> Value {
      Value here = arith::IndexCastOp::create(s.b, s.b.getI32Type(), linalg::IndexOp::create(s.b, 1));
      return arith::CmpIOp::create(s.b, arith::CmpIPredicate::eq, here, expert);
    };
    Tensor weight = e.loop({shares, chosen}, {{0, 1}, {0}}, scores.shape, 1, type, 0,
                           [&](Scalars &s, ValueRange x) { return s.select(isChosen(s, x[1]), x[0], x[2]); });
    left = e.loop({left, chosen}, {{0, 1}, {0}}, scores.shape, 2, type, std::nullopt,
                  [&](Scalars &s, ValueRange x) { return s.select(isChosen(s, x[1]), s.infinity(x[0].getType(), true), x[0]); });
    ids.push_back(e.reshape(chosen, {tokens, Extent(1)}));
    weights.push_back(e.reshape(weight, {tokens, Extent(1)}));
  }
  return {e.rows(e.concat(ids, 1), k, DataType::Int32), e.rows(e.concat(weights, 1), k)};
}

static Routing routed(Emitter &e, const Tensor &logits, const Mixture &mixture) {
  auto routing = moe::RoutingAttr::get(e.b.getContext(), mixture.k, moe::Score::Softmax, 1, 1, moe::GroupScore::Max,
                                       moe::MaskFill::NegativeInfinity, mixture.normalize, moe::F64(0.0), moe::F64(1.0));
  auto columns = [&](Type element) { return RankedTensorType::get({ShapedType::kDynamic, mixture.k}, element); };
  Value none, scores = e.rows(logits, logits.shape[1].constant());
  auto route = moe::RouteOp::create(e.b, columns(e.b.getI32Type()), columns(e.b.getF32Type()), scores, none, none, none, routing);
  return {route.getIds(), route.getWeights()};
}

/// Of a table [tokens, experts], the numbers of the chosen.
static Value weightsOf(Emitter &e, const Routing &routing, const Tensor &logits, const Tensor &table, const Mixture &mixture) {
  Tensor ids = e.tensor(routing.ids, DataType::Int32, {logits.shape[0], mixture.k});
  Value source = e.value(e.cast(table, DataType::Float32));
  Tensor chosen = e.loop({ids}, {{0, 1}}, ids.shape, 2, DataType::Float32, std::nullopt, [&](Scalars &s, ValueRange x) -> Value {
    Value at[] = {linalg::IndexOp::create(s.b, 0), s.toIndex(x[0])};
    return tensor::ExtractOp::create(s.b, source, at);
  });
  if (mixture.normalize) {
    Tensor sum = e.sum(chosen, {1});
    chosen = e.map({chosen, sum}, chosen.shape, DataType::Float32, [](Scalars &s, ValueRange x) { return s.divide(x[0], x[1]); });
  }
  return e.rows(chosen, mixture.k);
}

static LogicalResult buildMixture(Call &call, const Mixture &mixture, const Projection &fc1, const Projection &fc2,
                                  std::optional<Projection> fc3, const Places &places) {
  Emitter &e = call.e;
  const Tensor &input = call.in(0), &logits = call.in(1);
  int64_t experts = fc1.experts;
  if (input.rank() < 2 || !input.shape.back().isConstant())
    return call.refuse("input: expected [tokens, width] or [batch, length, width] with a known width, got " + spelled(input.shape));
  int64_t width = input.shape.back().constant();
  if (experts < 1)
    return call.refuse("expected at least one of experts, got none");
  if (fc1.columns != width)
    return call.refuse("fc1: expected weights [experts, rows, " + Twine(width) + "] as the input is wide, got " +
                       Twine(fc1.columns) + " columns");
  bool isFused = mixture.isGated && mixture.fusion != 0;
  if (isFused && fc1.rows % 2)
    return call.refuse("fc1: expected an even number of rows, for gate and up, got " + Twine(fc1.rows));
  if (mixture.isGated && !isFused && !fc3)
    return call.refuse("fc3: expected weights beside fc1, as swiglu_fusion 0 says");
  int64_t inner = isFused ? fc1.rows / 2 : fc1.rows;
  if (fc2.experts != experts || fc2.columns != inner || fc2.rows != width)
    return call.refuse("fc2: expected weights [" + Twine(experts) + ", " + Twine(width) + ", " + Twine(inner) + "], got [" +
                       Twine(fc2.experts) + ", " + Twine(fc2.rows) + ", " + Twine(fc2.columns) + "]");
  if (fc3 && (isFused || fc3->experts != experts || fc3->rows != inner || fc3->columns != width))
    return call.refuse("fc3: expected weights like those of fc1, and none where gate and up are in fc1 already");
  if (logits.rank() != 2 || !logits.shape[1].is(experts))
    return call.refuse("router_probs: expected [tokens, " + Twine(experts) + "], got " + spelled(logits.shape));
  if (mixture.k > experts)
    return call.refuse("attribute 'k': expected at most the number of experts, " + Twine(experts) + ", got " + Twine(mixture.k));
  e.requireEqual(logits.shape[0], e.extents.divide(e.extents.product(input.shape), width),
                 call.place() + ": expected logits for every token");

  // Which rows of fc1 are gate's and up's.
  int64_t step = isFused && mixture.fusion == 1 ? 2 : 1, upFrom = !isFused ? 0 : mixture.fusion == 1 ? 1 : inner;
  Value gate = fc1.rowsOf(0, step, inner), up = fc3 ? fc3->rowsOf(0, 1, inner) : isFused ? fc1.rowsOf(upFrom, step, inner) : gate;
  Value down = fc2.rowsOf(0, 1, width), gateBias, upBias, downBias;
  auto hasBias = [&](size_t place) { return call.has(place); };
  if (hasBias(places.bias1) || hasBias(places.bias2) || hasBias(places.bias3)) {
    auto bias = [&](size_t place, int64_t rows, int64_t from, int64_t by, int64_t count) -> FailureOr<Value> {
      Tensor tensor = call.has(place) ? call.in(place) : e.filled({experts, rows}, DataType::Float32, 0);
      if (tensor.rank() != 2 || !tensor.shape[0].is(experts) || !tensor.shape[1].is(rows))
        return call.refuse("bias: expected [" + Twine(experts) + ", " + Twine(rows) + "], got " + spelled(tensor.shape));
      return rowsOfEntries(e, tensor, from, by, count);
    };
    auto ofGate = bias(places.bias1, fc1.rows, 0, step, inner);
    auto ofUp = fc3 ? bias(places.bias3, inner, 0, 1, inner) : bias(places.bias1, fc1.rows, upFrom, step, inner);
    auto ofDown = bias(places.bias2, width, 0, 1, width);
    if (failed(ofGate) || failed(ofUp) || failed(ofDown))
      return failure();
    gateBias = *ofGate, upBias = *ofUp, downBias = *ofDown;
  }

  Routing routing = mixture.sparseMixer ? sparselyMixed(e, logits, mixture.k) : routed(e, logits, mixture);
  if (call.type() == "QMoE" && call.has(14)) { // weights of the chosen come from elsewhere
    const Tensor &given = call.in(14);
    if (given.rank() != 2 || given.shape[1] != logits.shape[1])
      return call.refuse("router_weights: expected the shape of router_probs, got " + spelled(given.shape));
    e.requireEqual(given.shape[0], logits.shape[0], call.place() + ": expected weights for every token");
    routing.weights = weightsOf(e, routing, logits, given, mixture);
  }
  Value rows = e.rows(input, width);
  Value result =
      moe::ExpertsOp::create(e.b, rows.getType(), rows, routing.ids, routing.weights, gate, up, down, gateBias, upBias, downBias,
                             activationOf(e.b.getContext(), mixture, fc3.has_value()), /*weight_on_input=*/false);
  call.give(0, e.fromRows(result, input.shape, input.type));
  return success();
}

static FailureOr<Projection> plainProjection(Call &call, size_t place, StringRef name) {
  if (!call.has(place))
    return call.refuse(name + ": expected weights");
  const Tensor &weights = call.in(place);
  if (weights.rank() != 3 || !weights.isStatic() || !isFloat(weights.type))
    return call.refuse(name + ": expected weights [experts, rows, columns] of floats, got " + nameOf(weights.type) + " " +
                       spelled(weights.shape));
  Emitter &e = call.e;
  return Projection{
      weights.shape[0].constant(), weights.shape[1].constant(), weights.shape[2].constant(),
      [&e, &weights](int64_t from, int64_t step, int64_t count) { return rowsOfEntries(e, weights, from, step, count); }};
}

static LogicalResult mixtureOfExperts(Call &call) {
  FailureOr<Mixture> mixture = readMixture(call);
  if (failed(mixture))
    return failure();
  FailureOr<Projection> fc1 = plainProjection(call, 2, "fc1"), fc2 = plainProjection(call, 4, "fc2"), fc3;
  if (call.has(6))
    fc3 = plainProjection(call, 6, "fc3");
  if (failed(fc1) || failed(fc2) || call.hasFailed())
    return failure();
  return buildMixture(call, *mixture, *fc1, *fc2, succeeded(fc3) ? std::optional<Projection>(*fc3) : std::nullopt,
                      {2, 3, 4, 5, 6, 7});
}

//===- QMoE -----------------------------------------------------------------------------------------------------------------===//

/// Integers of 2, 3, 4 or 8 bits with a scale for each row or block of it.
static FailureOr<Projection> packedProjection(Call &call, size_t place, size_t zeroPlace, StringRef name, int64_t bits,
                                              int64_t block) {
  if (!call.has(place) || !call.has(place + 1))
    return call.refuse(name + "_scales: expected weights and scales");
  const Tensor &bytes = call.in(place);
  const Tensor &scales = call.in(place + 1);
  if (bytes.rank() != 3 || !bytes.isStatic() || bytes.type != DataType::UInt8)
    return call.refuse(name + ": expected weights [experts, rows, bytes] of uint8, got " + nameOf(bytes.type) + " " +
                       spelled(bytes.shape));
  int64_t experts = bytes.shape[0].constant(), rows = bytes.shape[1].constant(), columns = bytes.shape[2].constant() * 8 / bits;
  int64_t blocks = block ? llvm::divideCeil(columns, block) : 1;
  Shape grid = {experts, rows, blocks}, byRow = {experts, rows};
  if (scales.shape != grid && !(!block && scales.shape == byRow))
    return call.refuse(name + "_scales: expected scales " + spelled(grid) + ", got " + spelled(scales.shape));
  Emitter &e = call.e;
  Packed packed{bytes, scales, std::nullopt, bits, columns, block ? block : columns};
  if (scales.rank() == 2) { // the same bytes
    packed.scales.shape.push_back(1);
    if (!scales.stored)
      packed.scales = e.reshape(scales, grid);
  }
  if (call.has(zeroPlace)) {
    const Tensor &zero = call.in(zeroPlace);
    int64_t zeroBytes = llvm::divideCeil(blocks * bits, 8);
    if (zero.type != DataType::UInt8 || !zero.isStatic())
      return call.refuse(name + "_zero_points: expected uint8");
    // Without blocks, the zero points of all rows are one stream.
    if (!block && zero.rank() == 2) {
      Packed ofRows{zero,
                    e.filled({experts, Extent(1)}, DataType::Float32, 1),
                    e.filled({experts, Extent(1)}, DataType::Float32, 0),
                    bits,
                    rows,
                    rows};
      if (zero.shape[0] != Extent(experts) || zero.shape[1].constant() * 8 < rows * bits)
        return call.refuse(name + "_zero_points: expected one for each row");
      packed.zero = e.reshape(dequantized(e, ofRows), grid);
    } else if (zero.shape != Shape{experts, rows, zeroBytes}) {
      return call.refuse(name + "_zero_points: expected " + spelled(Shape{experts, rows, zeroBytes}) + ", got " +
                         spelled(zero.shape));
    } else {
      packed.zero = zero;
    }
  }
  return Projection{experts, rows, columns, [&e, packed](int64_t from, int64_t step, int64_t count) {
                      if (Value weight = dequantizedWeight(e, packed, from, step, count))
                        return weight;
                      Packed read = packed;
                      if (read.scales.stored && read.scales.shape.size() != read.scales.stored->dims.size()) {
                        Tensor stored = read.scales;
                        stored.shape.pop_back();
                        read.scales = e.reshape(stored, packed.scales.shape);
                      }
                      return rowsOfEntries(e, dequantized(e, read), from, step, count);
                    }};
}

/// Floats of 8 bits with a scale for each expert or for each block, or of 4 bits as [experts, columns, rows / 2].
static FailureOr<Projection> floatProjection(Call &call, size_t place, size_t globalPlace, StringRef name, StringRef kind,
                                             int64_t block) {
  if (!call.has(place))
    return call.refuse(name + ": expected weights");
  const Tensor &stored = call.in(place);
  Emitter &e = call.e;
  bool isFour = kind != "fp8";
  if (stored.rank() != 3 || !stored.isStatic() || stored.type != (isFour ? DataType::UInt8 : DataType::Float8E4M3FN))
    return call.refuse(name + ": expected weights of " +
                       (isFour ? "uint8 [experts, columns, rows / 2]" : "float8e4m3fn [experts, rows, columns]") + ", got " +
                       nameOf(stored.type) + " " + spelled(stored.shape));
  int64_t experts = stored.shape[0].constant(), rows = isFour ? stored.shape[2].constant() * 2 : stored.shape[1].constant();
  int64_t columns = isFour ? stored.shape[1].constant() : stored.shape[2].constant();
  std::optional<Tensor> scales, global;
  if (call.has(place + 1))
    scales = call.in(place + 1);
  if (call.has(globalPlace))
    global = call.in(globalPlace);
  int64_t blockRows = isFour ? 1 : block;
  if (scales && (block < 1 || scales->shape != Shape{experts, static_cast<int64_t>(llvm::divideCeil(rows, blockRows)),
                                                     static_cast<int64_t>(llvm::divideCeil(columns, block))}))
    return call.refuse(name + "_scales: expected a scale for each block of " + Twine(block) + ", got " + spelled(scales->shape));
  if (global && global->shape != Shape{experts})
    return call.refuse(name + "_global_scale: expected " + Twine(experts) + ", got " + spelled(global->shape));
  if ((isFour && !scales) || !(scales || global))
    return call.refuse(name + "_scales: expected scales");
  Value source = e.value(stored), factors = scales ? e.value(*scales) : Value(), overall = global ? e.value(*global) : Value();
  Shape shape = {experts, rows, columns};
  Tensor numbers = e.generate(shape, DataType::Float32, [&](Scalars &s, ValueRange at) {
    Value element;
    if (isFour) {
      Value pair[] = {at[0], at[2], arith::DivUIOp::create(s.b, at[1], s.index(2))};
      Value byte = tensor::ExtractOp::create(s.b, source, pair), isHigh = arith::RemUIOp::create(s.b, at[1], s.index(2));
      Value high = arith::ShRUIOp::create(s.b, byte, s.like(byte, 4));
      element = s.convert(arith::BitcastOp::create(s.b, Float4E2M1FNType::get(s.b.getContext()),
                                                   arith::TruncIOp::create(s.b, s.b.getIntegerType(4),
                                                                           s.select(s.equal(isHigh, s.index(0)), byte, high))),
                          DataType::Float4E2M1, DataType::Float32);
    } else {
      element = s.convert(tensor::ExtractOp::create(s.b, source, at), stored.type, DataType::Float32);
    }
    if (factors) {
      Value place[] = {at[0], arith::DivUIOp::create(s.b, at[1], s.index(blockRows)),
                       arith::DivUIOp::create(s.b, at[2], s.index(block))};
      element = s.multiply(element, s.convert(tensor::ExtractOp::create(s.b, factors, place), scales->type, DataType::Float32));
    }
    if (overall)
      element = s.multiply(element, s.convert(tensor::ExtractOp::create(s.b, overall, at[0]), global->type, DataType::Float32));
    return element;
  });
  return Projection{experts, rows, columns, [&e, numbers](int64_t from, int64_t step, int64_t count) {
                      return rowsOfEntries(e, numbers, from, step, count);
                    }};
}

static LogicalResult quantizedMixture(Call &call) {
  FailureOr<Mixture> mixture = readMixture(call);
  if (failed(mixture))
    return failure();
  StringRef kind = call.text("quant_type", "int");
  int64_t bits = call.integer("expert_weight_bits", 4), block = call.integer("block_size", 0);
  call.leaveAside("accuracy_level");
  if (int64_t prepacked = call.integer("weights_prepacked", 0); prepacked != 0)
    return call.refuse("attribute 'weights_prepacked': expected 0, got " + Twine(prepacked) +
                       ": the bytes are in the own layout of one execution provider; export with weights_prepacked = 0");
  if (!llvm::is_contained({"int", "fp8", "fp4", "nvfp4"}, kind))
    return call.refuse("attribute 'quant_type': expected int, fp8, fp4 or nvfp4, got '" + kind + "'");
  if (block != 0 && (block < 16 || !llvm::isPowerOf2_64(block)))
    return call.refuse("attribute 'block_size': expected a power of 2 of at least 16, got " + Twine(block));
  auto bitsOf = [&](StringRef name) -> int64_t { return call.integer((name + "_expert_weight_bits").str(), bits); };
  int64_t bits1 = bitsOf("fc1"), bits2 = bitsOf("fc2"), bits3 = bitsOf("fc3");
  for (int64_t width : {bits, bits1, bits2, bits3})
    if (width != 2 && width != 3 && width != 4 && width != 8)
      return call.refuse("attribute 'expert_weight_bits': expected 2, 3, 4 or 8, got " + Twine(width));
  FailureOr<Projection> fc1, fc2, fc3;
  if (kind == "int") {
    fc1 = packedProjection(call, 2, 11, "fc1", bits1, block);
    fc2 = packedProjection(call, 5, 12, "fc2", bits2, block);
    if (call.has(8))
      fc3 = packedProjection(call, 8, 13, "fc3", bits3, block);
  } else {
    int64_t size = kind == "fp4" ? 32 : kind == "nvfp4" ? 16 : block;
    fc1 = floatProjection(call, 2, 15, "fc1", kind, size);
    fc2 = floatProjection(call, 5, 16, "fc2", kind, size);
  }
  if (failed(fc1) || failed(fc2) || call.hasFailed())
    return failure();
  for (size_t index = 17; index < call.inputCount(); ++index)
    if (call.has(index))
      return call.refuse("input " + Twine(index) + ": scales of activations are not supported");
  return buildMixture(call, *mixture, *fc1, *fc2, succeeded(fc3) ? std::optional<Projection>(*fc3) : std::nullopt,
                      {2, 4, 5, 7, 8, 10});
}

ArrayRef<Operator> onnx::mixtureOperators() {
  static constexpr Operator operators[] = {{"MoE", mixtureOfExperts, 3, 8}, {"QMoE", quantizedMixture, 3, 21}};
  return operators;
}
