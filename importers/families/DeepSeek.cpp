// DeepSeek's keys for dense layers, routed and shared experts, and groups of experts.
#include "importers/families/DeepSeek.h"
#include "importers/config/DecoderKeys.h"

using namespace moec;
using namespace moec::importers;
using llvm::Twine;

void moec::importers::readDeepSeekLayers(Config &config, Decoder &decoder, const DeepSeekDefaults &defaults) {
  int64_t denseLayers = config.count("first_k_dense_replace", most::layers, defaults.denseLayers, /*least=*/0);
  for (size_t layer = 0; layer < decoder.isMixture.size(); ++layer)
    decoder.isMixture[layer] = static_cast<int64_t>(layer) >= denseLayers;
  // Released as 1; the library does not look at it, the models' own code does.
  config.expect("moe_layer_freq", json::Value(int64_t(1)));
  decoder.denseWidth = config.count("intermediate_size", most::width, defaults.denseWidth);

  Mixture &mixture = decoder.mixture;
  mixture.experts = config.count({"n_routed_experts", "num_experts", "num_local_experts"}, most::experts, defaults.experts);
  mixture.expertWidth = config.count("moe_intermediate_size", most::width, defaults.expertWidth);
  mixture.sharedWidth = config.count("n_shared_experts", most::experts, defaults.shared, /*least=*/0) * mixture.expertWidth;
  config.leaveAside({"aux_loss_alpha", "seq_aux"});
}

void moec::importers::readMixtureLayers(Config &config, Decoder &decoder) {
  std::vector<llvm::StringRef> kinds = readLayerKinds(config, "mlp_layer_types", decoder, {"dense", "sparse"});
  for (size_t layer = 0; layer < kinds.size(); ++layer)
    decoder.isMixture[layer] = kinds[layer] == "sparse";
}

void moec::importers::readPredictionLayers(Config &config, Decoder &decoder) {
  constexpr llvm::StringRef released = "num_nextn_predict_layers", ofLibrary = "num_mtp_layers";
  decoder.prediction.isDeclared = config.has(released) || config.has(ofLibrary);
  decoder.prediction.layers = config.count({released, ofLibrary}, most::layers, 1, /*least=*/0);
}

Indexer moec::importers::readIndexer(Config &config, mlir::MLIRContext *context, const Rope &rope, const LatentAttention &attention,
                                     moe::RotaryLayout layout, int64_t heads) {
  Indexer indexer;
  indexer.heads = config.count("index_n_heads", most::heads, heads);
  indexer.headDim = config.count("index_head_dim", most::width, 128);
  indexer.positions = config.count("index_topk", most::width, 2048);
  config.require(indexer.headDim >= attention.rope,
                 "index_head_dim: expected at least qk_rope_head_dim " + Twine(attention.rope) + ", got " + Twine(indexer.headDim));
  config.require(attention.queryLatent.has_value(),
                 "q_lora_rank: expected a number, as positions are chosen by the query's latent");
  indexer.headDim = std::max(indexer.headDim, attention.rope);
  indexer.rotary = rope.attr(context, attention.rope, layout);
  return indexer;
}

ExpertGroups moec::importers::readExpertGroups(Config &config, const Mixture &mixture, int64_t k,
                                               std::optional<int64_t> defaultGroups, std::optional<int64_t> defaultKept) {
  int64_t groups = config.count("n_group", mixture.experts, defaultGroups);
  int64_t kept = config.count("topk_group", groups, defaultKept);
  config.require(mixture.experts % groups == 0,
                 "n_group: expected a divisor of n_routed_experts " + Twine(mixture.experts) + ", got " + Twine(groups));
  config.require(kept * (mixture.experts / groups) >= k, "num_experts_per_tok: expected at most the " +
                                                             Twine(kept * (mixture.experts / groups)) +
                                                             " experts of the kept groups, got " + Twine(k));
  return {groups, kept};
}

ExpertGroups moec::importers::readPairedGroups(Config &config, const Mixture &mixture, int64_t k, int64_t defaultGroups,
                                               int64_t defaultKept) {
  ExpertGroups groups = readExpertGroups(config, mixture, k, defaultGroups, defaultKept);
  config.require(mixture.experts / groups.groups >= 2, "n_group: expected at least 2 experts a group, got " + Twine(groups.groups) +
                                                           " groups of " + Twine(mixture.experts) + " experts");
  return groups;
}

moe::RoutingAttr moec::importers::readBiasedRouting(Config &config, mlir::MLIRContext *context, const Mixture &mixture,
                                                    const BiasedRoutingDefaults &defaults) {
  int64_t k = config.count("num_experts_per_tok", mixture.experts, 8);
  double scale = config.positive("routed_scaling_factor", defaults.scale);
  // The library writes configs without these two: its classes know no other.
  config.choice("scoring_func", {"sigmoid"});
  config.choice("topk_method", {"noaux_tc"});
  ExpertGroups groups = readPairedGroups(config, mixture, k, defaults.groups, defaults.kept);
  bool renormalize = config.flag("norm_topk_prob", true);
  return moe::RoutingAttr::get(context, k, moe::Score::Sigmoid, groups.groups, groups.kept, moe::GroupScore::Top2Sum,
                               moe::MaskFill::NegativeInfinity, renormalize,
                               /*epsilon=*/renormalize ? 1e-20 : 0.0, scale);
}
