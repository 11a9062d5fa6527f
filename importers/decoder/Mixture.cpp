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
struct Projections {
  Value gate, up, down;
};
} // namespace

static Projections projections(Scope &scope, const Mixture &mixture, int64_t hidden) {
  int64_t experts = mixture.experts, width = mixture.expertWidth;
  if (!mixture.fused)
    return {stackedExperts(scope, mixture, mixture.gate, {width, hidden}),
            stackedExperts(scope, mixture, mixture.up, {width, hidden}),
            stackedExperts(scope, mixture, mixture.down, {hidden, width})};
  std::string gateUp = scope.tensor("experts.gate_up_proj"), down = scope.tensor("experts.down_proj");
  return {scope.get(scope.weights.ofExperts(gateUp + ".gate", gateUp, {experts, 2 * width, hidden}, 0, width)),
          scope.get(scope.weights.ofExperts(gateUp + ".up", gateUp, {experts, 2 * width, hidden}, width, width)),
          scope.get(scope.weights.whole(down, {experts, hidden, width}))};
}

Value moec::importers::buildMixture(const Scope &layer, const Mixture &mixture, moe::ActivationAttr activation, Value input,
                                    Value &ids) {
  Scope scope = layer.within(mixture.block, "mlp");
  Value logits = scope.linear("gate", input, mixture.experts);
  Value bias = mixture.selectionBias.empty() ? Value() : scope.weight(mixture.selectionBias, {mixture.experts});
  auto idsType = RankedTensorType::get({ShapedType::kDynamic, mixture.routing.getK()}, scope.builder.getI32Type());
  auto route = scope.create<moe::RouteOp>("route", idsType, scope.rows(mixture.routing.getK()), logits, bias, /*table=*/Value(),
                                          /*token_ids=*/Value(), mixture.routing);
  ids = route.getIds();

  int64_t hidden = moe::widthOf(input.getType());
  auto [gate, up, down] = projections(scope, mixture, hidden);
  Value none;
  Value result = scope.create<moe::ExpertsOp>("experts", input.getType(), input, ids, route.getWeights(), gate, up, down, none,
                                              none, none, activation);
  if (!mixture.sharedWidth)
    return result;
  Value shared = scope.within("shared_experts", "shared_experts").gatedMLP("mlp", input, mixture.sharedWidth, activation);
  return scope.add("sum", result, shared);
}
