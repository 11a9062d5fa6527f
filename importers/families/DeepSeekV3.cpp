// DeepSeek-V3, R1, V3.1 (arXiv 2412.19437): latent attention, sigmoid routing with a selection bias within the best groups.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

/// A group's score is the sum of its two best biased scores; dropped groups are out (-inf); weights are unbiased scores.
static moe::RoutingAttr readRouting(Config &config, mlir::MLIRContext *context, const Mixture &mixture) {
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 8);
  double scale = config.positive("routed_scaling_factor", 2.5);
  // The library writes configs without these two: its class knows no other.
  config.choice("scoring_func", {"sigmoid"});
  config.choice("topk_method", {"noaux_tc"});
  ExpertGroups groups = readExpertGroups(config, mixture, k, 8, 4);
  config.require(mixture.experts / groups.groups >= 2, "n_group: expected at least 2 experts a group, got " +
                                                           llvm::Twine(groups.groups) + " groups of " +
                                                           llvm::Twine(mixture.experts) + " experts");
  bool renormalize = config.flag("norm_topk_prob", true);
  return moe::RoutingAttr::get(context, k, moe::Score::Sigmoid, groups.groups, groups.kept, moe::GroupScore::Top2Sum,
                               moe::MaskFill::NegativeInfinity, renormalize,
                               /*epsilon=*/renormalize ? 1e-20 : 0.0, scale);
}

Decoder moec::importers::describeDeepSeekV3(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "deepseek_v3",
                                {.vocabulary = 129280, .hidden = 7168, .layers = 61, .maxPositions = 4096, .bos = 0, .eos = 1});
  Rope rope = readRope(config, context, /*defaultTheta=*/1e4, decoder.maxPositions);
  bool interleaved = config.flag("rope_interleave", true);
  decoder.attention =
      readLatentAttention(config, context, rope, interleaved ? moe::RotaryLayout::Interleaved : moe::RotaryLayout::Half,
                          /*defaultHeads=*/128);
  readDeepSeekLayers(config, decoder, {.experts = 256, .shared = 1, .expertWidth = 2048, .denseWidth = 18432, .denseLayers = 3});
  decoder.mixture.selectionBias = true;
  decoder.mixture.routing = readRouting(config, context, decoder.mixture);
  decoder.predictionLayers = config.count({"num_nextn_predict_layers", "num_mtp_layers"}, most::layers, 1, /*least=*/0);
  return decoder;
}
