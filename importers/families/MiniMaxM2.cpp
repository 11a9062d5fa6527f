// MiniMax-M2: one norm over all heads of q and one over all of k, a partial rotation, sigmoid routing with a selection bias.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

/// The part of a head that turns, which released files name by its width and the library by its share.
static void readRotaryDim(Config &config, mlir::MLIRContext *context, const Rope &rope, GroupedAttention &attention) {
  int64_t share = attention.rotary.getDims();
  int64_t dims = config.countOrNull("rotary_dim", attention.headDim, share).value_or(share);
  config.require(!rope.partial || dims == share,
                 "rotary_dim: expected " + llvm::Twine(share) + " as partial_rotary_factor says, got " + llvm::Twine(dims));
  config.require(dims % 2 == 0, "rotary_dim: expected an even number, got " + llvm::Twine(dims));
  attention.rotary = rope.attr(context, dims % 2 ? 2 : dims, moe::RotaryLayout::Half);
}

Decoder moec::importers::describeMiniMaxM2(Config &config, mlir::MLIRContext *context) {
  Decoder decoder =
      readDecoder(config, context, "minimax_m2",
                  {.vocabulary = 200064, .hidden = 3072, .layers = 62, .maxPositions = 196608, .bos = 200034, .eos = 200020});
  Rope rope = readRope(config, context, {.theta = 5e6, .partial = true}, decoder.maxPositions);
  GroupedAttention attention = readGroupedAttention(config, context, decoder, rope, {.heads = 48, .kvHeads = 8, .headDim = 128});
  readRotaryDim(config, context, rope, attention);
  attention.norms = QueryKeyNorm::Whole;
  config.expect("use_qk_norm", json::Value(true));
  config.choice("qk_norm_type", {"per_layer"});
  // 1 is attention to all positions.
  std::vector<int64_t> kinds = config.counts("attn_type_list", 1);
  config.require(!config.has("attn_type_list") || kinds == std::vector<int64_t>(decoder.isMixture.size(), 1),
                 "attn_type_list: expected 1 for every layer");
  decoder.attention = attention;

  Mixture &mixture = decoder.mixture;
  mixture.block = "block_sparse_moe";
  mixture.gate = "w1", mixture.up = "w3", mixture.down = "w2";
  mixture.selectionBias = "e_score_correction_bias";
  config.expect("use_routing_bias", json::Value(true));
  config.choice("scoring_func", {"sigmoid"});
  config.expect("shared_intermediate_size", json::Value(int64_t(0)));
  bool predicts = config.flag("use_mtp", false);
  int64_t modules = config.count("num_mtp_modules", most::layers, 0, /*least=*/0);
  decoder.prediction.unreleased = predicts ? modules : 0;
  config.leaveAside({"mtp_transformer_layers"});
  mixture.experts = config.count({"num_local_experts", "num_experts"}, most::experts, 256);
  mixture.expertWidth = config.count("intermediate_size", most::width, 1536);
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 8);
  mixture.routing = ungroupedRouting(context, k, moe::Score::Sigmoid, /*renormalize=*/true);
  return decoder;
}
