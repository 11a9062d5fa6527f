// gpt-oss: every other layer attends to a window, sinks, biases everywhere, a clamped activation, interleaved transposed experts.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

/// Gate and up are clamped at the limit; the gate's sigmoid is steeper, and up is shifted by one.
static moe::ActivationAttr readActivation(Config &config, mlir::MLIRContext *context) {
  config.choice("hidden_act", {"silu"});
  double alpha = config.positive("swiglu_alpha", 1.702), limit = config.positive("swiglu_limit", 7);
  return moe::ActivationAttr::get(context, moe::ActivationKind::SiLU, alpha, /*gate_max=*/limit, /*up_limit=*/limit,
                                  /*up_offset=*/1.0);
}

Decoder moec::importers::describeGptOss(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "gpt_oss",
                                {.vocabulary = 201088, .hidden = 2880, .layers = 36, .maxPositions = 131072, .epsilon = 1e-5});
  decoder.activation = readActivation(config, context);
  // Without them the library's class has YaRN numbers of its own.
  config.require(config.has("rope_scaling") || config.has("rope_parameters"), "rope_scaling: expected an object, got nothing");
  Rope rope = readRope(config, context, {.theta = 150000}, decoder.maxPositions);
  // Written beside original_max_position_embeddings, and read by nobody.
  config.leaveAside({"initial_context_length"});
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 64, .kvHeads = 8, .headDim = 64});
  attention.bias = attention.outputBias = config.flag("attention_bias", true);
  attention.sinks = true;
  std::optional<int64_t> window = config.countOrNull("sliding_window", most::positions, 128);
  std::vector<llvm::StringRef> kinds = readLayerKinds(config, "layer_types", decoder, {"sliding_attention", "full_attention"});
  for (size_t layer = 0; layer < decoder.isMixture.size(); ++layer) {
    bool slides = kinds.empty() ? layer % 2 == 0 : kinds[layer] == "sliding_attention";
    attention.window = slides ? window : std::nullopt;
    decoder.attentionOfLayers.push_back(attention);
  }

  Mixture &mixture = decoder.mixture;
  mixture.router = "router";
  mixture.storage = {.fused = true, .transposed = true, .interleaved = true};
  mixture.routerBias = mixture.expertBias = true;
  mixture.experts = config.count({"num_local_experts", "num_experts"}, most::experts, 128);
  mixture.expertWidth = config.count("intermediate_size", most::width, 2880);
  int64_t k = config.count({"num_experts_per_tok", "experts_per_token"}, mixture.experts, 4);
  mixture.routing = ungroupedRouting(context, k, moe::Score::SoftmaxTopK, /*renormalize=*/false);
  return decoder;
}
