// DeepSeekMoE-16B (arXiv 2401.06066): plain attention, softmax routing over all experts, shared experts as one wide MLP.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeDeepSeekMoE(Config &config, mlir::MLIRContext *context) {
  Decoder decoder =
      readDecoder(config, context, "deepseek",
                  {.vocabulary = 102400, .hidden = 4096, .layers = 30, .maxPositions = 2048, .bos = 100000, .eos = 100001});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 32});
  attention.bias = attention.outputBias = config.flag("attention_bias", false);
  decoder.attention = attention;

  // The model's own code, which is all there is, takes an absent key to mean no experts at all.
  config.requireGiven({"n_routed_experts", "n_shared_experts", "num_experts_per_tok"});
  readDeepSeekLayers(config, decoder, {.experts = 64, .shared = 2, .expertWidth = 1407, .denseWidth = 11008, .denseLayers = 0});
  int64_t k = config.count("num_experts_per_tok", decoder.mixture.experts);
  config.choice("scoring_func", {"softmax"});
  bool renormalize = config.flag("norm_topk_prob", false) && k > 1;
  decoder.mixture.routing = ungroupedRouting(context, k, moe::Score::Softmax, renormalize, /*epsilon=*/renormalize ? 1e-20 : 0.0);
  return decoder;
}
