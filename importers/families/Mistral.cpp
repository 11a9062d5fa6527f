// Mistral 7B and what follows it, Devstral Small among them (arXiv 2310.06825): grouped attention, dense layers.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeMistral(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(config, context, "mistral",
                                {.vocabulary = 32000, .hidden = 4096, .layers = 32, .maxPositions = 131072, .bos = 1, .eos = 2});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 32, .kvHeads = 8});
  attention.window = config.countOrNull("sliding_window", most::positions, 4096);
  decoder.attention = attention;
  decoder.isMixture.assign(decoder.isMixture.size(), false);
  decoder.denseWidth = config.count("intermediate_size", most::width, 14336);
  return decoder;
}
