// A mixture of experts: router, routing, routed experts, shared experts.
#include "importers/decoder/Build.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

/// One projection of all experts, as one weight.
static Value stackedExperts(Scope &scope, const Mixture &mixture, StringRef projection, ArrayRef<int64_t> shape) {
  std::vector<std::string> tensors;
  for (int64_t expert = 0; expert < mixture.experts; ++expert)
    tensors.push_back(scope.tensor(("experts." + Twine(expert) + "." + projection + ".weight").str()));
  return scope.get(scope.weights.stacked(scope.tensor(("experts." + projection + ".weight").str()), tensors, shape));
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
  Value gate = stackedExperts(scope, mixture, mixture.gate, {mixture.expertWidth, hidden});
  Value up = stackedExperts(scope, mixture, mixture.up, {mixture.expertWidth, hidden});
  Value down = stackedExperts(scope, mixture, mixture.down, {hidden, mixture.expertWidth});
  Value none;
  Value result = scope.create<moe::ExpertsOp>("experts", input.getType(), input, ids, route.getWeights(), gate, up, down, none,
                                              none, none, activation);
  if (!mixture.sharedWidth)
    return result;
  Value shared = scope.within("shared_experts", "shared_experts").gatedMLP("mlp", input, mixture.sharedWidth, activation);
  return scope.add("sum", result, shared);
}
