// Qwen3-MoE: grouped attention with a norm on every head of q and k, mixtures in some layers.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

#include "llvm/ADT/STLExtras.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeQwen3MoE(Config &config, mlir::MLIRContext *context) {
  Decoder decoder =
      readDecoder(config, context, "qwen3_moe", {.vocabulary = 151936, .hidden = 2048, .layers = 24, .maxPositions = 32768});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 32, .kvHeads = 4});
  attention.norms = QueryKeyNorm::Heads;
  attention.bias = attention.outputBias = config.flag("attention_bias", false);
  std::optional<int64_t> window = config.countOrNull("sliding_window", most::positions, 4096);
  if (config.flag("use_sliding_window", false))
    attention.window = window;
  // The library's class has the window in all layers or in none.
  config.leaveAside({"max_window_layers"});
  decoder.attention = attention;

  std::vector<int64_t> dense = config.counts("mlp_only_layers", most::layers);
  int64_t step = config.count("decoder_sparse_step", most::layers, 1);
  for (size_t layer = 0; layer < decoder.isMixture.size(); ++layer)
    decoder.isMixture[layer] = (layer + 1) % step == 0 && !llvm::is_contained(dense, static_cast<int64_t>(layer));
  decoder.denseWidth = config.count("intermediate_size", most::width, 6144);

  Mixture &mixture = decoder.mixture;
  mixture.experts = config.count({"num_experts", "num_local_experts"}, most::experts, 128);
  mixture.expertWidth = config.count("moe_intermediate_size", most::width, 768);
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 8);
  mixture.routing = ungroupedRouting(context, k, moe::Score::Softmax, /*renormalize=*/config.flag("norm_topk_prob", false));
  return decoder;
}
