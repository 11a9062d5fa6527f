// DeepSeek-V2 and V2-Lite (arXiv 2405.04434): latent attention, softmax routing without renormalisation.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

/// Greedy over all experts, or within the best groups by their best expert; a dropped group's probabilities become 0, not -inf.
static moe::RoutingAttr readRouting(Config &config, mlir::MLIRContext *context, const Mixture &mixture) {
  int64_t k = config.count("num_experts_per_tok", mixture.experts);
  double scale = config.positive("routed_scaling_factor", 1);
  config.choice("scoring_func", {"softmax"});
  // The library's class never renormalises, and always scales.
  config.leaveAside({"norm_topk_prob"});
  ExpertGroups groups = {1, 1};
  if (config.choice("topk_method", {"greedy", "group_limited_greedy"}) == "group_limited_greedy")
    groups = readExpertGroups(config, mixture, k, std::nullopt, std::nullopt);
  else
    config.leaveAside({"n_group", "topk_group"});
  return moe::RoutingAttr::get(context, k, moe::Score::Softmax, groups.groups, groups.kept, moe::GroupScore::Max,
                               moe::MaskFill::Zero, /*renormalize=*/false, /*epsilon=*/0.0, scale);
}

Decoder moec::importers::describeDeepSeekV2(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "deepseek_v2",
                                {.vocabulary = 102400, .hidden = 4096, .layers = 32, .maxPositions = 2048, .bos = 1, .eos = 2});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  decoder.attention = readLatentAttention(config, context, rope, moe::RotaryLayout::Interleaved, {.heads = 32});
  config.expect("mlp_bias", json::Value(false));
  readDeepSeekLayers(config, decoder, {.experts = 64, .shared = 2, .expertWidth = 1407, .denseWidth = 11008, .denseLayers = 0});
  decoder.mixture.routing = readRouting(config, context, decoder.mixture);
  return decoder;
}
