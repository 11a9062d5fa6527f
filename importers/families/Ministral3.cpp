// Ministral 3, Devstral 2 and Devstral Small 2: Mistral with YaRN, and queries that grow with their position.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeMinistral3(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(
      config, context, "ministral3",
      {.vocabulary = 131072, .hidden = 4096, .layers = 34, .maxPositions = 262144, .epsilon = 1e-5, .bos = 1, .eos = 2});
  Rope rope = readRope(config, context, {.theta = 1e4, .positionScale = true}, decoder.maxPositions);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 32, .kvHeads = 8, .headDim = 128});
  attention.window = config.countOrNull("sliding_window", most::positions);
  decoder.attention = attention;
  decoder.isMixture.assign(decoder.isMixture.size(), false);
  decoder.denseWidth = config.count("intermediate_size", most::width, 14336);
  return decoder;
}
