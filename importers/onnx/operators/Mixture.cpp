// com.microsoft's MoE, and what QMoE shares with it: a router's logits and experts' weights, as moe.route and moe.experts.
#include "importers/onnx/operators/Mixture.h"
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Packed.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

FailureOr<Mixture> onnx::readMixture(Call &call) {
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
  mixture.limitsActivated = call.flag("swiglu_limit_after_activation") && mixture.limit && mixture.activation == "swiglu";
  if (mixture.limitsActivated && !(*mixture.limit >= 0 && *mixture.limit < HUGE_VAL && mixture.alpha >= 0))
    return call.refuse("attribute 'swiglu_limit_after_activation': expected a finite limit and an alpha, neither below 0, got " +
                       std::to_string(*mixture.limit) + " and " + std::to_string(mixture.alpha));
  mixture.isGated = mixture.activation == "swiglu" || mixture.activation == "geglu";
  return mixture;
}

/// The g whose g sigmoid(alpha g) is `limit`. Neither is negative; above 0 the function grows, and lies between half of g and g.
static double gateThatGives(double limit, double alpha) {
  double below = limit, above = 2 * limit;
  for (double middle; middle = below + (above - below) / 2, middle > below && middle < above;)
    (middle / (1 + std::exp(-alpha * middle)) < limit ? below : above) = middle;
  return above;
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
  if (isSwiGLU && mixture.limit) {
    gateMax = moe::F64(mixture.limitsActivated ? gateThatGives(*mixture.limit, mixture.alpha) : *mixture.limit);
    upLimit = moe::F64(*mixture.limit);
  }
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

/// PhiMoE's, which is no attribute.
static constexpr double jitterEpsilon = 0.01;

static Routing routed(Emitter &e, const Tensor &logits, const Mixture &mixture) {
  // PhiMoE's weights are of softmaxes of their own; a division by their sum is not asked for beside them.
  auto routing =
      moe::RoutingAttr::get(e.b.getContext(), mixture.k, mixture.sparseMixer ? moe::Score::SparseMixer : moe::Score::Softmax, 1, 1,
                            moe::GroupScore::Max, moe::MaskFill::NegativeInfinity, mixture.normalize && !mixture.sparseMixer,
                            moe::F64(0.0), moe::F64(1.0), moe::F64(mixture.sparseMixer ? jitterEpsilon : 0));
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

LogicalResult onnx::buildMixture(Call &call, const Mixture &mixture, const Projection &fc1, const Projection &fc2,
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

  Routing routing = routed(e, logits, mixture);
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

ArrayRef<Operator> onnx::mixtureOperators() {
  static constexpr Operator operators[] = {{"MoE", mixtureOfExperts, 3, 8}, {"QMoE", quantizedMixture, 3, 21}};
  return operators;
}
