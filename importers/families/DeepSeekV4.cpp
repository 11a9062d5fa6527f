// DeepSeek-V4: several residual streams, one key and value for all heads, entries for blocks of positions before a window, experts
// by token id in the first layers.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

#include <cmath>

using namespace moec;
using namespace moec::importers;
using llvm::StringRef;
using llvm::Twine;

namespace {
/// How layers turn: those that only look at a window, and those with entries, whose positions YaRN stretches.
struct Ropes {
  Rope plain, stretched;
};
} // namespace

/// `rope_theta`, and in `rope_scaling` what holds for layers with entries; or one object for each in `rope_parameters`.
static Ropes readRopes(Config &config, mlir::MLIRContext *context, int64_t maxPositions) {
  std::optional<double> theta = config.positiveOrNull("rope_theta"), otherTheta = config.positiveOrNull("compress_rope_theta");
  Ropes ropes;
  ropes.plain.theta = theta.value_or(1e4), ropes.stretched.theta = otherTheta.value_or(16e4);
  ropes.plain.partial = ropes.stretched.partial = config.positiveOrNull("partial_rotary_factor");
  const json::Value *nested = config.take("rope_parameters"), *flat = config.take("rope_scaling");
  const json::Value *given = nested && !nested->isNull() ? nested : flat;
  if (!given || given->isNull())
    return ropes;
  StringRef key = given == nested ? "rope_parameters" : "rope_scaling";
  if (!given->object()) {
    config.require(false, key + ": expected an object, got " + given->kind());
    return ropes;
  }
  Config keys = config.within(*given, key);
  if (!keys.has("main")) {
    ropes.stretched = readRopeObject(keys, context, {.partial = true, .yarnScales = false}, maxPositions, ropes.stretched);
    return ropes;
  }
  auto readPart = [&](StringRef name, std::optional<double> outer, Rope &rope) {
    const json::Value *value = keys.take(name);
    if (!value || !value->object())
      return keys.require(false, name + ": expected an object, got " + (value ? value->kind() : "nothing"));
    Config part = keys.within(*value, name);
    rope.theta = part.positive("rope_theta", rope.theta);
    if (outer)
      part.expect("rope_theta", json::Value(*outer));
    rope = readRopeObject(part, context, {.partial = true}, maxPositions, rope);
  };
  readPart("main", theta, ropes.plain);
  readPart("compress", otherTheta, ropes.stretched);
  keys.checkConsumed();
  return ropes;
}

/// How many of a head's last elements turn.
static int64_t readTurning(Config &config, const Ropes &ropes, int64_t headDim) {
  std::optional<int64_t> given = config.countOrNull("qk_rope_head_dim", most::width);
  std::optional<double> share = ropes.stretched.partial;
  int64_t dims = share ? int64_t(double(headDim) * std::min(*share, 1.0)) : given.value_or(headDim / 8);
  config.require(given.value_or(dims) == dims, "partial_rotary_factor: expected qk_rope_head_dim " + Twine(given.value_or(0)) +
                                                   " of head_dim " + Twine(headDim) + ", got " + Twine(dims));
  config.require(dims > 0 && dims % 2 == 0 && dims <= headDim,
                 "qk_rope_head_dim: expected an even number up to head_dim " + Twine(headDim) + ", got " + Twine(dims));
  return std::clamp<int64_t>(dims / 2 * 2, 2, std::max<int64_t>(headDim, 2));
}

/// Positions that an entry of a layer stands for; 0 where there are none.
static constexpr int64_t lightBlock = 4, heavyBlock = 128;

namespace {
/// For each layer, 0 or the block of its entries, and whether the entries are of the kind that tokens choose among.
struct Kind {
  int64_t block = 0;
  bool light = false;
};
} // namespace

/// `compress_ratios`, or `layer_types` with `compress_rates`.
static std::vector<Kind> readKinds(Config &config, const Decoder &decoder) {
  constexpr StringRef lightName = "compressed_sparse_attention", heavyName = "heavily_compressed_attention";
  int64_t light = lightBlock, heavy = heavyBlock;
  if (const json::Value *rates = config.take("compress_rates"); rates && !rates->isNull()) {
    config.require(rates->object(), "compress_rates: expected an object, got " + rates->kind());
    if (!rates->object())
      return std::vector<Kind>(decoder.isMixture.size());
    Config keys = config.within(*rates, "compress_rates");
    light = keys.count(lightName, most::positions, light);
    heavy = keys.count(heavyName, most::positions, heavy);
    keys.checkConsumed();
  }
  size_t layers = decoder.isMixture.size();
  std::vector<StringRef> names = readLayerKinds(config, "layer_types", decoder, {"sliding_attention", lightName, heavyName});
  std::vector<int64_t> ratios = config.counts("compress_ratios", most::positions);
  config.require(names.empty() || ratios.empty(), "compress_ratios: expected nothing beside layer_types");
  const json::Value *given = config.take("compress_ratios");
  config.require(!given || given->isNull() || ratios.size() >= layers,
                 "compress_ratios: expected a number for each of " + Twine(layers) + " layers, got " + Twine(ratios.size()));
  std::vector<Kind> kinds;
  for (size_t layer = 0; layer < layers; ++layer) {
    bool isLight = layer >= 2 && layer % 2, slides = false; // what absent lists mean
    if (!names.empty()) {
      isLight = names[layer] == lightName;
      slides = names[layer] == "sliding_attention";
    } else if (layer < ratios.size()) {
      isLight = ratios[layer] == lightBlock;
      slides = ratios[layer] == 0;
      config.require(isLight || slides || ratios[layer] == heavyBlock,
                     "compress_ratios: expected 0, 4 or 128 of every layer, got " + Twine(ratios[layer]));
    }
    kinds.push_back({slides ? 0 : isLight ? light : heavy, isLight});
  }
  return kinds;
}

static void readAttention(Config &config, mlir::MLIRContext *context, Decoder &decoder) {
  SharedKeyAttention attention;
  attention.heads = config.count("num_attention_heads", most::heads, 64);
  attention.headDim = config.count("head_dim", most::width, 512);
  attention.queryLatent = config.count("q_lora_rank", most::width, 1024);
  attention.outputGroups = config.count("o_groups", most::heads, 8);
  attention.outputWidth = config.count("o_lora_rank", most::width, 1024);
  attention.window = config.count("sliding_window", most::positions, 128);
  attention.scale = 1 / std::sqrt(double(attention.headDim));
  config.expect("num_key_value_heads", json::Value(int64_t(1)));
  config.expect("attention_bias", json::Value(false));
  config.require(attention.heads * attention.headDim % attention.outputGroups == 0,
                 "o_groups: expected a divisor of num_attention_heads x head_dim " + Twine(attention.heads * attention.headDim) +
                     ", got " + Twine(attention.outputGroups));

  Ropes ropes = readRopes(config, context, decoder.maxPositions);
  int64_t dims = readTurning(config, ropes, attention.headDim);
  auto trailing = [&](const Rope &rope, int64_t width) {
    return rope.attr(context, dims, moe::RotaryLayout::Interleaved, std::max<int64_t>(width - dims, 0));
  };
  Indexer indexer;
  indexer.heads = config.count("index_n_heads", most::heads, 64);
  indexer.headDim = config.count("index_head_dim", most::width, 128);
  indexer.positions = config.count("index_topk", most::width, 512);
  config.require(indexer.headDim >= dims,
                 "index_head_dim: expected at least qk_rope_head_dim " + Twine(dims) + ", got " + Twine(indexer.headDim));
  indexer.rotary = trailing(ropes.stretched, indexer.headDim);

  attention.rotary = trailing(ropes.plain, attention.headDim);
  decoder.prediction.attention = attention;
  for (Kind kind : readKinds(config, decoder)) {
    SharedKeyAttention &layer = std::get<SharedKeyAttention>(decoder.attentionOfLayers.emplace_back(attention));
    if (!kind.block)
      continue;
    layer.rotary = trailing(ropes.stretched, attention.headDim);
    layer.pooling = {kind.block, kind.light, kind.light ? std::optional(indexer) : std::nullopt};
  }
}

static void readMixture(Config &config, mlir::MLIRContext *context, Decoder &decoder) {
  Mixture &mixture = decoder.mixture;
  mixture.block = "ffn", mixture.gate = "w1", mixture.up = "w3", mixture.down = "w2";
  mixture.selectionBias = "gate.bias";
  mixture.table = "gate.tid2eid";
  mixture.experts = config.count({"n_routed_experts", "num_local_experts"}, most::experts, 256);
  mixture.expertWidth = mixture.sharedWidth = config.count("moe_intermediate_size", most::width, 2048);
  config.expect("n_shared_experts", json::Value(int64_t(1)));
  config.expect("mlp_bias", json::Value(false));
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 6);
  // The class knows no other way to choose, and always renormalises.
  config.choice("topk_method", {"noaux_tc"});
  config.expect("norm_topk_prob", json::Value(true));
  StringRef scoring = config.choice("scoring_func", {"sqrtsoftplus", "sigmoid"});
  mixture.routing = moe::RoutingAttr::get(context, k, scoring == "sigmoid" ? moe::Score::Sigmoid : moe::Score::SqrtSoftplus,
                                          /*groups=*/1, /*kept_groups=*/1, moe::GroupScore::Max, moe::MaskFill::NegativeInfinity,
                                          /*renormalize=*/true, /*epsilon=*/1e-20, config.positive("routed_scaling_factor", 1.5));

  std::vector<StringRef> kinds = readLayerKinds(config, "mlp_layer_types", decoder, {"hash_moe", "moe"});
  int64_t withTable = config.count("num_hash_layers", most::layers, 3, /*least=*/0);
  for (size_t layer = 0; layer < decoder.isMixture.size(); ++layer)
    decoder.hasTable.push_back(kinds.empty() ? int64_t(layer) < withTable : kinds[layer] == "hash_moe");
}

Decoder moec::importers::describeDeepSeekV4(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "deepseek_v4",
                                {.vocabulary = 129280, .hidden = 4096, .layers = 43, .maxPositions = 1048576, .bos = 0, .eos = 1});
  decoder.names = {
      .model = "", .embedding = "embed", .head = "head", .attentionNorm = "attn_norm", .mlpNorm = "ffn_norm", .prediction = "mtp."};
  double limit = config.positive("swiglu_limit", 10);
  decoder.activation = moe::ActivationAttr::get(context, decoder.activation.getKind(), decoder.activation.getAlpha(),
                                                /*gate_max=*/limit, /*up_limit=*/limit, /*up_offset=*/0.0);
  decoder.streams = Streams{config.count("hc_mult", most::streams, 4), config.count("hc_sinkhorn_iters", most::iterations, 20),
                            config.nonNegative("hc_eps", 1e-6)};
  readAttention(config, context, decoder);
  readMixture(config, context, decoder);
  // What the numbers of experts are, their tensors say.
  config.leaveAside({"expert_dtype"});
  readPredictionLayers(config, decoder);
  return decoder;
}
