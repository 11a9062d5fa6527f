// Attention to the last positions and to entries that stand for blocks of those before, with one vector as key and value.
#include "importers/decoder/Build.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

/// Rows of a cache of entries `width` wide, pooled from projections of `input`. `place` is where in the model the cache is.
static FlatSymbolRefAttr poolBlocks(Scope scope, const std::string &place, Value input, const BlockPooling &pooling, int64_t width,
                                    moe::RotaryAttr rotary, double epsilon) {
  int64_t columns = pooling.overlaps ? 2 * width : width;
  Value values = scope.linear("wkv", input, columns), gates = scope.linear("wgate", input, columns);
  FlatSymbolRefAttr pending = scope.cache(place + "_pending", 2 * columns);
  scope.create<moe::AppendOp>("pending", ValueRange({values, gates}), scope.batch, pending);
  Value pooled = scope.create<moe::PoolBlocksOp>("pool", scope.rows(width), scope.batch,
                                                 scope.weight("ape", {pooling.block, columns}), pending.getValue());
  pooled = scope.norm("norm", pooled, width, epsilon);
  pooled = scope.rope("rope", pooled, width, rotary, {}, pooling.block);
  FlatSymbolRefAttr entries = scope.cache(place, width, pooling.block);
  scope.create<moe::AppendOp>("entries", ValueRange(pooled), scope.batch, entries);
  return entries;
}

/// The entries that the heads of an indexer choose for each token.
static Value chooseEntries(Scope scope, const std::string &place, const BlockPooling &pooling, Value input, Value queryLatent,
                           double epsilon) {
  const Indexer &indexer = *pooling.indexer;
  FlatSymbolRefAttr keys =
      poolBlocks(scope.within("compressor", "compressor"), place, input, pooling, indexer.headDim, indexer.rotary, epsilon);
  Value q = scope.linear("wq_b", queryLatent, indexer.heads * indexer.headDim);
  q = scope.rope("q_rope", q, indexer.headDim, indexer.rotary);
  // Models scale scores by constants, which change no choice.
  Value weights = scope.linear("weights_proj", input, indexer.heads);
  auto lists = RankedTensorType::get({ShapedType::kDynamic, indexer.positions}, scope.builder.getI32Type());
  return scope.create<moe::SelectPositionsOp>("positions", lists, q, weights, scope.batch, keys.getValue());
}

/// The same rotation backwards: what a value that has turned with its position adds to the result depends on the distance alone.
static moe::RotaryAttr inverse(moe::RotaryAttr rotary) {
  return moe::RotaryAttr::get(rotary.getContext(), rotary.getDims(), rotary.getTheta(), rotary.getLayout(), rotary.getOffset(),
                              rotary.getMultiplier(), /*inverse=*/true, rotary.getYarn(), rotary.getFrequencies());
}

Value moec::importers::buildAttention(const Scope &layer, const SharedKeyAttention &attention, Value input, double epsilon,
                                      Value &) {
  Scope scope = layer.within("attn", "attention");
  int64_t dim = attention.headDim, width = attention.heads * dim;
  Value queryLatent = scope.linear("wq_a", input, attention.queryLatent);
  queryLatent = scope.norm("q_norm", queryLatent, attention.queryLatent, epsilon);
  Value q = scope.linear("wq_b", queryLatent, width);
  q = scope.plainNorm("q_head_norm", q, dim, epsilon);
  q = scope.rope("q_rope", q, dim, attention.rotary);
  Value key = scope.linear("wkv", input, dim);
  key = scope.norm("kv_norm", key, dim, epsilon);
  key = scope.rope("kv_rope", key, dim, attention.rotary);
  FlatSymbolRefAttr keys = scope.cache(layer.placeOf("keys"), dim), entries;
  scope.create<moe::AppendOp>("keys", ValueRange(key), scope.batch, keys);

  Value chosen;
  if (const std::optional<BlockPooling> &pooling = attention.pooling) {
    entries = poolBlocks(scope.within("compressor", "compressor"), layer.placeOf("entries"), input, *pooling, dim, attention.rotary,
                         epsilon);
    if (pooling->indexer)
      chosen =
          chooseEntries(scope.within("indexer", "indexer"), layer.placeOf("index_keys"), *pooling, input, queryLatent, epsilon);
  }
  Value o = scope.create<moe::AttentionOp>("scores", scope.rows(width), q, scope.batch, chosen,
                                           scope.weight("attn_sink", {attention.heads}), keys, keys, entries, dim, attention.scale,
                                           attention.window, /*chunk=*/std::nullopt);
  o = scope.rope("o_rope", o, dim, inverse(attention.rotary));
  int64_t latent = attention.outputGroups * attention.outputWidth;
  Value grouped = scope.create<moe::GroupedLinearOp>("wo_a", scope.rows(latent), o,
                                                     scope.matrix("wo_a.weight", {latent, width / attention.outputGroups}));
  return scope.linear("wo_b", grouped, moe::widthOf(input.getType()));
}
