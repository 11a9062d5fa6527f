// Grouped and latent attention, as the models write them.
#include "importers/decoder/Build.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

/// The norms of the latents take this epsilon whatever the config's rms_norm_eps says: they are made without one.
static constexpr double latentEpsilon = 1e-6;

Value moec::importers::buildAttention(const Scope &layer, const GroupedAttention &attention, Value input, double epsilon, Value &) {
  Scope scope = layer.within("self_attn", "attention");
  int64_t dim = attention.headDim, width = attention.heads * dim, kvWidth = attention.kvHeads * dim;
  Value q = scope.linear("q_proj", input, width, attention.bias);
  Value k = scope.linear("k_proj", input, kvWidth, attention.bias);
  Value v = scope.linear("v_proj", input, kvWidth, attention.bias);
  if (attention.norms == QueryKeyNorm::Heads || attention.norms == QueryKeyNorm::Whole) {
    bool whole = attention.norms == QueryKeyNorm::Whole;
    q = scope.norm("q_norm", q, whole ? width : dim, epsilon);
    k = scope.norm("k_norm", k, whole ? kvWidth : dim, epsilon);
  }
  if (attention.rotary) {
    q = scope.rope("q_rope", q, dim, attention.rotary, attention.positionScale);
    k = scope.rope("k_rope", k, dim, attention.rotary);
  } else if (attention.positionScale) {
    q = scope.create<moe::ScaleByPositionOp>("q_scale", q.getType(), q, scope.batch, attention.positionScale);
  }
  if (attention.norms == QueryKeyNorm::TurnedHeads) {
    q = scope.plainNorm("q_norm", q, dim, epsilon);
    k = scope.plainNorm("k_norm", k, dim, epsilon);
  }

  FlatSymbolRefAttr keys = scope.cache(layer.placeOf("keys"), kvWidth), values = scope.cache(layer.placeOf("values"), kvWidth);
  scope.create<moe::AppendOp>("keys", ValueRange(k), scope.batch, keys);
  scope.create<moe::AppendOp>("values", ValueRange(v), scope.batch, values);
  Value sinks = attention.sinks ? scope.weight("sinks", {attention.heads}) : Value();
  Value o =
      scope.create<moe::AttentionOp>("scores", scope.rows(width), q, scope.batch, /*positions=*/Value(), sinks, keys, values,
                                     /*entries=*/FlatSymbolRefAttr(), dim, attention.scale, attention.window, attention.chunk);
  return scope.linear("o_proj", o, moe::widthOf(input.getType()), attention.outputBias);
}

/// The positions that a layer's indexer chooses, from the latent of its query.
static Value choosePositions(const Scope &layer, Scope attention, const Indexer &indexer, Value input, Value queryLatent) {
  Scope scope = attention.within("indexer", "indexer");
  Value q = scope.linear("wq_b", queryLatent, indexer.heads * indexer.headDim);
  q = scope.rope("q_rope", q, indexer.headDim, indexer.rotary);
  Value k = scope.linear("wk", input, indexer.headDim);
  k = scope.create<moe::LayerNormOp>("k_norm", k.getType(), k, scope.weight("k_norm.weight", {indexer.headDim}),
                                     scope.weight("k_norm.bias", {indexer.headDim}), llvm::APFloat(latentEpsilon));
  k = scope.rope("k_rope", k, indexer.headDim, indexer.rotary);
  FlatSymbolRefAttr cache = scope.cache(layer.placeOf("index_keys"), indexer.headDim);
  scope.create<moe::AppendOp>("index_keys", ValueRange(k), scope.batch, cache);
  // Models scale scores by constants, which change no choice.
  Value weights = scope.linear("weights_proj", input, indexer.heads);
  auto lists = RankedTensorType::get({ShapedType::kDynamic, indexer.positions}, scope.builder.getI32Type());
  return scope.create<moe::SelectPositionsOp>("positions", lists, q, weights, scope.batch, cache.getValue());
}

Value moec::importers::buildAttention(const Scope &layer, const LatentAttention &attention, Value input, double, Value &positions) {
  Scope scope = layer.within("self_attn", "attention");
  int64_t width = attention.heads * (attention.nope + attention.rope);
  Value q, queryLatent;
  if (attention.queryLatent) {
    queryLatent = scope.linear("q_a_proj", input, *attention.queryLatent, attention.bias);
    queryLatent = scope.norm("q_a_layernorm", queryLatent, *attention.queryLatent, latentEpsilon);
    q = scope.linear("q_b_proj", queryLatent, width);
  } else {
    q = scope.linear("q_proj", input, width);
  }
  q = scope.rope("q_rope", q, attention.nope + attention.rope, attention.queryRotary, attention.positionScale);
  if (attention.indexer)
    positions = choosePositions(layer, scope, *attention.indexer, input, queryLatent);

  Value kv = scope.linear("kv_a_proj_with_mqa", input, attention.latent + attention.rope, attention.bias);
  Value latent = scope.columns("kv_latent", kv, 0, attention.latent);
  latent = scope.norm("kv_a_layernorm", latent, attention.latent, latentEpsilon);
  Value key = scope.columns("k_pe", kv, attention.latent, attention.rope);
  key = scope.rope("k_rope", key, attention.rope, attention.keyRotary);
  FlatSymbolRefAttr cache = scope.cache(layer.placeOf("latent"), attention.latent + attention.rope);
  scope.create<moe::AppendOp>("latent", ValueRange({latent, key}), scope.batch, cache);

  // kv_b_proj's rows are, for every head, those that give its keys, then those that give its values.
  std::string kvB = scope.tensor("kv_b_proj.weight");
  int64_t headRows = attention.nope + attention.value;
  Value keyUp = scope.get(scope.weights.ofHeads(kvB + ".key", kvB, attention.heads, headRows, 0, attention.nope, attention.latent));
  Value valueUp = scope.get(
      scope.weights.ofHeads(kvB + ".value", kvB, attention.heads, headRows, attention.nope, attention.value, attention.latent));
  Value o = scope.create<moe::LatentAttentionOp>("scores", scope.rows(attention.heads * attention.value), q, scope.batch, keyUp,
                                                 valueUp, attention.indexer || attention.sharesPositions ? positions : Value(),
                                                 cache, attention.scale);
  return scope.linear("o_proj", o, moe::widthOf(input.getType()), attention.bias);
}
