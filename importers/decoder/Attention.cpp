// Grouped and latent attention, as the models write them.
#include "importers/decoder/Build.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

/// The norms of the latents take this epsilon whatever the config's rms_norm_eps says: they are made without one.
static constexpr double latentEpsilon = 1e-6;

static Value rope(Scope &scope, StringRef name, Value input, int64_t headDim, moe::RotaryAttr rotary,
                  moe::PositionScaleAttr positionScale = {}) {
  return scope.create<moe::RopeOp>(name, input.getType(), input, scope.batch, static_cast<uint64_t>(headDim), rotary,
                                   positionScale);
}

Value moec::importers::buildAttention(const Scope &layer, const GroupedAttention &attention, Value input, double epsilon) {
  Scope scope = layer.within("self_attn", "attention");
  int64_t dim = attention.headDim, width = attention.heads * dim, kvWidth = attention.kvHeads * dim;
  Value q = scope.linear("q_proj", input, width, attention.bias);
  Value k = scope.linear("k_proj", input, kvWidth, attention.bias);
  Value v = scope.linear("v_proj", input, kvWidth, attention.bias);
  if (attention.norms != QueryKeyNorm::None) {
    bool whole = attention.norms == QueryKeyNorm::Whole;
    q = scope.norm("q_norm", q, whole ? width : dim, epsilon);
    k = scope.norm("k_norm", k, whole ? kvWidth : dim, epsilon);
  }
  q = rope(scope, "q_rope", q, dim, attention.rotary, attention.positionScale);
  k = rope(scope, "k_rope", k, dim, attention.rotary);

  FlatSymbolRefAttr keys = scope.cache(layer.placeOf("keys"), kvWidth), values = scope.cache(layer.placeOf("values"), kvWidth);
  scope.create<moe::AppendOp>("keys", ValueRange(k), scope.batch, keys);
  scope.create<moe::AppendOp>("values", ValueRange(v), scope.batch, values);
  IntegerAttr window = attention.window ? scope.builder.getI64IntegerAttr(*attention.window) : IntegerAttr();
  Value o = scope.create<moe::AttentionOp>("scores", scope.rows(width), q, scope.batch, /*sinks=*/Value(), keys.getValue(),
                                           values.getValue(), static_cast<uint64_t>(dim), llvm::APFloat(attention.scale), window,
                                           /*chunk=*/IntegerAttr(), /*soft_cap=*/FloatAttr());
  return scope.linear("o_proj", o, moe::widthOf(input.getType()), attention.outputBias);
}

static Value latentQuery(Scope &scope, const LatentAttention &attention, Value input) {
  int64_t width = attention.heads * (attention.nope + attention.rope);
  if (!attention.queryLatent)
    return scope.linear("q_proj", input, width);
  Value latent = scope.linear("q_a_proj", input, *attention.queryLatent, attention.bias);
  return scope.linear("q_b_proj", scope.norm("q_a_layernorm", latent, *attention.queryLatent, latentEpsilon), width);
}

Value moec::importers::buildAttention(const Scope &layer, const LatentAttention &attention, Value input, double) {
  Scope scope = layer.within("self_attn", "attention");
  Value q = latentQuery(scope, attention, input);
  q = rope(scope, "q_rope", q, attention.nope + attention.rope, attention.queryRotary, attention.positionScale);

  Value kv = scope.linear("kv_a_proj_with_mqa", input, attention.latent + attention.rope, attention.bias);
  Value latent = scope.columns("kv_latent", kv, 0, attention.latent);
  latent = scope.norm("kv_a_layernorm", latent, attention.latent, latentEpsilon);
  Value key = scope.columns("k_pe", kv, attention.latent, attention.rope);
  key = rope(scope, "k_rope", key, attention.rope, attention.keyRotary);
  FlatSymbolRefAttr cache = scope.cache(layer.placeOf("latent"), attention.latent + attention.rope);
  scope.create<moe::AppendOp>("latent", ValueRange({latent, key}), scope.batch, cache);

  // kv_b_proj's rows are, for every head, those that give its keys, then those that give its values.
  std::string kvB = scope.tensor("kv_b_proj.weight");
  int64_t headRows = attention.nope + attention.value;
  Value keyUp = scope.get(scope.weights.ofHeads(kvB + ".key", kvB, attention.heads, headRows, 0, attention.nope, attention.latent));
  Value valueUp = scope.get(
      scope.weights.ofHeads(kvB + ".value", kvB, attention.heads, headRows, attention.nope, attention.value, attention.latent));
  Value o = scope.create<moe::LatentAttentionOp>("scores", scope.rows(attention.heads * attention.value), q, scope.batch, keyUp,
                                                 valueUp, cache.getValue(), llvm::APFloat(attention.scale));
  return scope.linear("o_proj", o, moe::widthOf(input.getType()), attention.bias);
}
