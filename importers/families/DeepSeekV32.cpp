// DeepSeek-V3.2 (arXiv 2512.02556): DeepSeek-V3 whose tokens attend to the positions that an indexer chooses.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeDeepSeekV32(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "deepseek_v32",
                                {.vocabulary = 129280, .hidden = 7168, .layers = 61, .maxPositions = 163840, .bos = 0, .eos = 1});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  LatentAttention attention = readLatentAttention(config, context, rope, moe::RotaryLayout::Interleaved, {.heads = 128});
  // Unlike the heads that attend, those that choose turn half and half.
  attention.indexer = readIndexer(config, context, rope, attention, moe::RotaryLayout::Half, /*heads=*/64);
  decoder.attention = attention;
  readLayerKinds(config, "layer_types", decoder, {"deepseek_sparse_attention", "indexed_attention"});
  readDeepSeekLayers(config, decoder, {.experts = 256, .shared = 1, .expertWidth = 2048, .denseWidth = 18432, .denseLayers = 3});
  readMixtureLayers(config, decoder);
  config.expect("mlp_bias", json::Value(false));
  decoder.mixture.selectionBias = "gate.e_score_correction_bias";
  decoder.mixture.routing = readBiasedRouting(config, context, decoder.mixture, {.scale = 2.5, .groups = 8, .kept = 4});
  readPredictionLayers(config, decoder);
  return decoder;
}
