// A mixture of experts: router, routing, routed experts, shared experts.
#include "importers/decoder/Build.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

/// One projection of all experts, as one weight.
static Value stackedExperts(Scope &scope, const Mixture &mixture, StringRef projection, ArrayRef<int64_t> shape) {
  const std::string start = scope.tensor("experts."), end = ("." + projection + ".weight").str();
  std::string name;
  auto tensor = [&](int64_t expert) -> StringRef { // of tens of thousands, so without memory of its own
    name.assign(start).append(std::to_string(expert)).append(end);
    return name;
  };
  return scope.get(scope.weights.stacked(start + projection.str() + ".weight", mixture.experts, tensor, shape));
}

namespace {
/// Weights of experts; the biases may be null.
struct Projections {
  Value gate, up, down, gateBias, upBias, downBias;
};
} // namespace

/// Weights of all experts that lie in few tensors.
static Projections fusedProjections(Scope &scope, const Mixture &mixture, int64_t hidden) {
  int64_t experts = mixture.experts, width = mixture.expertWidth;
  bool transposed = mixture.storage.transposed;
  importers::Range gate{0, 1, width}, up{width, 1, width};
  if (mixture.storage.interleaved)
    gate.step = up.step = 2, up.from = 1;
  std::string gateUp = scope.tensor("experts.gate_up_proj"), down = scope.tensor("experts.down_proj"), bias = gateUp + "_bias";
  SmallVector<int64_t> shape = {experts, 2 * width, hidden}, biasShape = {experts, 2 * width};
  Weights &weights = scope.weights;
  Projections all;
  all.gate = scope.get(weights.ofExperts(gateUp + ".gate", gateUp, shape, transposed, gate));
  all.up = scope.get(weights.ofExperts(gateUp + ".up", gateUp, shape, transposed, up));
  all.down = scope.get(weights.ofExperts(down, down, {experts, hidden, width}, transposed, {0, 1, hidden}));
  if (mixture.expertBias) {
    all.gateBias = scope.get(weights.ofColumns(bias + ".gate", bias, biasShape, gate));
    all.upBias = scope.get(weights.ofColumns(bias + ".up", bias, biasShape, up));
    all.downBias = scope.weight("experts.down_proj_bias", {experts, hidden});
  }
  return all;
}

static Projections projections(Scope &scope, const Mixture &mixture, int64_t hidden) {
  if (mixture.storage.fused)
    return fusedProjections(scope, mixture, hidden);
  int64_t width = mixture.expertWidth;
  Projections all;
  all.gate = stackedExperts(scope, mixture, mixture.gate, {width, hidden});
  all.up = stackedExperts(scope, mixture, mixture.up, {width, hidden});
  all.down = stackedExperts(scope, mixture, mixture.down, {hidden, width});
  return all;
}

Value moec::importers::buildMixture(const Scope &layer, const Decoder &decoder, Value input, Value tokens, Value &ids) {
  const Mixture &mixture = decoder.mixture;
  moe::ActivationAttr activation = decoder.activation;
  Scope scope = layer.within(mixture.block, "mlp");
  Value logits = scope.linear(mixture.router, input, mixture.experts, mixture.routerBias);
  Value bias = mixture.selectionBias.empty() || tokens ? Value() : scope.weight(mixture.selectionBias, {mixture.experts});
  Value table = tokens
                    ? scope.get(scope.weights.integers(scope.tensor(mixture.table), {decoder.vocabulary, mixture.routing.getK()}))
                    : Value();
  auto idsType = RankedTensorType::get({ShapedType::kDynamic, mixture.routing.getK()}, scope.builder.getI32Type());
  auto route = scope.create<moe::RouteOp>("route", idsType, scope.rows(mixture.routing.getK()), logits, bias, table, tokens,
                                          mixture.routing);
  ids = route.getIds();

  int64_t hidden = moe::widthOf(input.getType());
  auto [gate, up, down, gateBias, upBias, downBias] = projections(scope, mixture, hidden);
  Value result = scope.create<moe::ExpertsOp>("experts", input.getType(), input, ids, route.getWeights(), gate, up, down, gateBias,
                                              upBias, downBias, activation, mixture.weightOnInput);
  if (!mixture.sharedWidth)
    return result;
  Value shared = scope.within(mixture.shared, "shared_experts")
                     .gatedMLP("mlp", input, mixture.sharedWidth, activation, mixture.gate, mixture.up, mixture.down);
  return scope.add("sum", result, shared);
}
