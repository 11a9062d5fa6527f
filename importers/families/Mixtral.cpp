// Mixtral 8x7B and 8x22B (arXiv 2401.04088): grouped attention, a mixture in every layer, softmax over the chosen logits.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeMixtral(Config &config, mlir::MLIRContext *context) {
  Decoder decoder =
      readDecoder(config, context, "mixtral",
                  {.vocabulary = 32000, .hidden = 4096, .layers = 32, .maxPositions = 131072, .epsilon = 1e-5, .bos = 1, .eos = 2});
  Rope rope = readRope(config, context, {.theta = 1e6}, decoder.maxPositions);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 32, .kvHeads = 8});
  attention.window = config.countOrNull("sliding_window", most::positions);
  decoder.attention = attention;

  Mixture &mixture = decoder.mixture;
  mixture.block = "block_sparse_moe";
  mixture.gate = "w1", mixture.up = "w3", mixture.down = "w2";
  mixture.experts = config.count({"num_local_experts", "num_experts"}, most::experts, 8);
  mixture.expertWidth = config.count("intermediate_size", most::width, 14336);
  // The library takes the softmax over all logits, then renormalises over the chosen: the same.
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 2);
  mixture.routing = ungroupedRouting(context, k, moe::Score::SoftmaxTopK, /*renormalize=*/false);
  return decoder;
}
