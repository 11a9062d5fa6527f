// GLM-4.5 and 4.6 (arXiv 2508.06471): grouped attention that turns half of each head, DeepSeek-V3's mixture.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeGLM4MoE(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "glm4_moe",
                                {.vocabulary = 151552, .hidden = 4096, .layers = 46, .maxPositions = 131072, .epsilon = 1e-5});
  Rope rope = readRope(config, context, {.theta = 1e4, .partial = true}, decoder.maxPositions);
  rope.partial = rope.partial.value_or(0.5);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 96, .kvHeads = 8});
  attention.bias = config.flag("attention_bias", false);
  if (config.flag("use_qk_norm", false))
    attention.norms = QueryKeyNorm::Heads;
  decoder.attention = attention;

  readDeepSeekLayers(config, decoder, {.experts = 128, .shared = 1, .expertWidth = 1408, .denseWidth = 10944, .denseLayers = 1});
  decoder.mixture.selectionBias = "gate.e_score_correction_bias";
  decoder.mixture.routing = readBiasedRouting(config, context, decoder.mixture, {.scale = 1, .groups = 1, .kept = 1});
  readPredictionLayers(config, decoder);
  return decoder;
}
