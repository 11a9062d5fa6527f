// Mistral Small 4 and Large 3: DeepSeek-V3's attention, queries that grow with their position, softmax routing, fused experts.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

/// Softmax over all experts; in groups, those whose two best sum highest keep their probabilities, the others get 0.
static moe::RoutingAttr readRouting(Config &config, mlir::MLIRContext *context, const Mixture &mixture) {
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 4);
  ExpertGroups groups = readPairedGroups(config, mixture, k, 1, 1);
  bool renormalize = config.flag("norm_topk_prob", true);
  return moe::RoutingAttr::get(context, k, moe::Score::Softmax, groups.groups, groups.kept, moe::GroupScore::Top2Sum,
                               moe::MaskFill::Zero, renormalize, /*epsilon=*/renormalize ? 1e-20 : 0.0,
                               config.positive("routed_scaling_factor", 1));
}

Decoder moec::importers::describeMistral4(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "mistral4",
                                {.vocabulary = 131072, .hidden = 4096, .layers = 36, .maxPositions = 1048576, .bos = 1, .eos = 2});
  Rope rope = readRope(config, context, {.theta = 1e4, .partial = true, .positionScale = true}, decoder.maxPositions);
  bool interleaved = config.flag("rope_interleave", true);
  decoder.attention =
      readLatentAttention(config, context, rope, interleaved ? moe::RotaryLayout::Interleaved : moe::RotaryLayout::Half,
                          {.heads = 32, .nope = 64, .latent = 256, .queryLatent = 1024, .headDimIsWhole = true});
  readDeepSeekLayers(config, decoder, {.experts = 128, .shared = 1, .expertWidth = 2048, .denseWidth = 12288, .denseLayers = 0});
  decoder.mixture.storage.fused = true;
  decoder.mixture.routing = readRouting(config, context, decoder.mixture);
  return decoder;
}
