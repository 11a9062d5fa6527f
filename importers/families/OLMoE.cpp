// OLMoE (arXiv 2409.02060): one norm over all heads of q, one over all of k; softmax routing over all experts.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeOLMoE(Config &config, mlir::MLIRContext *context) {
  Decoder decoder =
      readDecoder(config, context, "olmoe",
                  {.vocabulary = 50304, .hidden = 2048, .layers = 16, .maxPositions = 4096, .epsilon = 1e-5, .eos = 50279});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 16});
  attention.norms = QueryKeyNorm::Whole;
  attention.bias = attention.outputBias = config.flag("attention_bias", false);
  // No released model clips.
  config.expect("clip_qkv", json::Value());
  decoder.attention = attention;

  Mixture &mixture = decoder.mixture;
  mixture.experts = config.count({"num_experts", "num_local_experts"}, most::experts, 64);
  mixture.expertWidth = config.count("intermediate_size", most::width, 2048);
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 8);
  mixture.routing = ungroupedRouting(context, k, moe::Score::Softmax, /*renormalize=*/config.flag("norm_topk_prob", false));
  return decoder;
}
