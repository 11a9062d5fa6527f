// DeepSeek-V3, R1, V3.1 (arXiv 2412.19437): latent attention, sigmoid routing with a selection bias within the best groups.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeDeepSeekV3(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "deepseek_v3",
                                {.vocabulary = 129280, .hidden = 7168, .layers = 61, .maxPositions = 4096, .bos = 0, .eos = 1});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  bool interleaved = config.flag("rope_interleave", true);
  decoder.attention = readLatentAttention(config, context, rope,
                                          interleaved ? moe::RotaryLayout::Interleaved : moe::RotaryLayout::Half, {.heads = 128});
  readDeepSeekLayers(config, decoder, {.experts = 256, .shared = 1, .expertWidth = 2048, .denseWidth = 18432, .denseLayers = 3});
  decoder.mixture.selectionBias = "gate.e_score_correction_bias";
  decoder.mixture.routing = readBiasedRouting(config, context, decoder.mixture, {.scale = 2.5, .groups = 8, .kept = 4});
  readPredictionLayers(config, decoder);
  return decoder;
}
