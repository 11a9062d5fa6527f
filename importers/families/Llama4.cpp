// Llama 4, its language model: chunked attention, layers that do not turn but scale q by position, and one expert a token, whose
// weight multiplies its input, beside a shared one.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

#include "llvm/ADT/STLExtras.h"

using namespace moec;
using namespace moec::importers;

/// For each layer, whether its heads turn: a list, or every layer but the last of each interval.
static std::vector<bool> readTurning(Config &config, size_t layers) {
  int64_t interval = config.count("no_rope_layer_interval", most::layers, 4);
  std::vector<int64_t> given = config.counts("no_rope_layers", 1);
  config.require(given.empty() || given.size() >= layers, "no_rope_layers: expected a number for each of " + llvm::Twine(layers) +
                                                              " layers, got " + llvm::Twine(given.size()));
  std::vector<bool> turning(layers);
  for (size_t layer = 0; layer < layers; ++layer)
    turning[layer] = layer < given.size() ? given[layer] == 1 : (int64_t(layer) + 1) % interval != 0;
  return turning;
}

/// How q grows with its position in layers that do not turn; null when it does not.
static moe::PositionScaleAttr readTemperature(Config &config, mlir::MLIRContext *context) {
  double strength = config.nonNegative("attn_scale", 0.1);
  int64_t positions = config.count("floor_scale", most::positions, 8192);
  // The class asks for its truth; its first version had 4 for true.
  const json::Value *tuning = config.take("attn_temperature_tuning");
  bool isNumber = tuning && tuning->integer();
  bool tunes = isNumber ? *tuning->integer() != 0 : config.flag("attn_temperature_tuning", true);
  return tunes && strength > 0 ? moe::PositionScaleAttr::get(context, strength, positions, /*shift=*/1) : moe::PositionScaleAttr();
}

static std::vector<Attention> readLayers(Config &config, mlir::MLIRContext *context, const Decoder &decoder) {
  Rope rope = readRope(config, context, {.theta = 5e5}, decoder.maxPositions);
  GroupedAttention turning = readGroupedAttention(config, context, decoder, rope, {.heads = 40, .kvHeads = 8, .headDim = 128});
  turning.bias = turning.outputBias = config.flag("attention_bias", false);
  turning.rotary = rope.attr(context, turning.rotary.getDims(), moe::RotaryLayout::Interleaved);
  if (config.flag("use_qk_norm", true))
    turning.norms = QueryKeyNorm::TurnedHeads;
  GroupedAttention still = turning;
  still.rotary = {};
  still.norms = QueryKeyNorm::None;
  still.positionScale = readTemperature(config, context);

  std::optional<int64_t> chunk = config.countOrNull("attention_chunk_size", most::positions, 8192);
  std::vector<bool> turns = readTurning(config, decoder.isMixture.size());
  std::vector<llvm::StringRef> kinds = readLayerKinds(config, "layer_types", decoder, {"chunked_attention", "full_attention"});
  std::vector<Attention> layers;
  for (size_t layer = 0; layer < turns.size(); ++layer) {
    GroupedAttention attention = turns[layer] ? turning : still;
    if (kinds.empty() ? turns[layer] : kinds[layer] == "chunked_attention")
      attention.chunk = chunk;
    layers.push_back(attention);
  }
  return layers;
}

Decoder moec::importers::describeLlama4(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(
      config, context, "llama4_text",
      {.vocabulary = 202048, .hidden = 5120, .layers = 48, .maxPositions = 131072, .epsilon = 1e-5, .bos = 1, .eos = 2});
  decoder.attentionOfLayers = readLayers(config, context, decoder);

  int64_t step = config.count("interleave_moe_layer_step", most::layers, 1);
  const json::Value *list = config.take("moe_layers");
  bool listed = list && !list->isNull();
  std::vector<int64_t> mixtures = config.counts("moe_layers", most::layers);
  for (size_t layer = 0; layer < decoder.isMixture.size(); ++layer)
    decoder.isMixture[layer] = listed ? llvm::is_contained(mixtures, int64_t(layer)) : (int64_t(layer) + 1) % step == 0;
  decoder.denseBlock = "feed_forward";
  decoder.denseWidth = config.count("intermediate_size_mlp", most::width, 16384);
  // What a tool for quantising models writes for itself.
  config.leaveAside({"for_llm_compressor"});

  Mixture &mixture = decoder.mixture;
  mixture.block = "feed_forward", mixture.router = "router", mixture.shared = "shared_expert";
  mixture.storage = {.fused = true, .transposed = true};
  mixture.experts = config.count({"num_local_experts", "num_experts"}, most::experts, 16);
  mixture.expertWidth = mixture.sharedWidth = config.count("intermediate_size", most::width, 8192);
  mixture.weightOnInput = true;
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 1);
  mixture.routing = ungroupedRouting(context, k, moe::Score::Sigmoid, /*renormalize=*/false);
  return decoder;
}

Decoder moec::importers::describeLlama4Wrapper(Config &config, mlir::MLIRContext *context) {
  readSurroundings(config);
  config.leaveAside({"vision_config", "boi_token_index", "eoi_token_index", "image_token_index"});
  const json::Value *text = config.take("text_config");
  if (!text || !text->object()) {
    config.require(false, "text_config: expected an object");
    return {};
  }
  Config inner = config.within(*text, "text_config");
  inner.leaveAside({"architectures"});
  Decoder decoder = describeLlama4(inner, context);
  if (decoder.quantization.place.empty())
    decoder.quantization = readQuantization(config);
  inner.checkConsumed();
  readTextTokens(config, decoder.vocabulary, decoder.bos, decoder.eos); // the wrapper's own come first
  config.expect("tie_word_embeddings", json::Value(decoder.tied));
  decoder.prefix = "language_model.";
  decoder.otherParts = {"vision_model.", "multi_modal_projector."};
  return decoder;
}
