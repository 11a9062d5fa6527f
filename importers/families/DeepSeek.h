// What families after DeepSeek have in common besides latent attention.
#ifndef MOEC_IMPORTERS_FAMILIES_DEEPSEEK_H
#define MOEC_IMPORTERS_FAMILIES_DEEPSEEK_H

#include "importers/config/Config.h"
#include "importers/config/Rope.h"
#include "importers/decoder/Decoder.h"

namespace moec::importers {

/// What absent keys mean.
struct DeepSeekDefaults {
  int64_t experts, shared, expertWidth, denseWidth, denseLayers;
};

/// Dense layers first, then mixtures with shared experts. All of the mixture but its routing.
void readDeepSeekLayers(Config &config, Decoder &decoder, const DeepSeekDefaults &defaults);

/// `mlp_layer_types`, where it is given: which layers have a mixture.
void readMixtureLayers(Config &config, Decoder &decoder);

/// How many layers predict further tokens.
void readPredictionLayers(Config &config, Decoder &decoder);

/// What chooses the positions that latent attention looks at, `heads` heads unless the config says so.
Indexer readIndexer(Config &config, mlir::MLIRContext *context, const Rope &rope, const LatentAttention &attention,
                    moe::RotaryLayout layout, int64_t heads);

/// How many groups there are and how many are kept; the experts must divide evenly, and the kept groups hold all that are chosen.
struct ExpertGroups {
  int64_t groups, kept;
};
ExpertGroups readExpertGroups(Config &config, const Mixture &mixture, int64_t k, std::optional<int64_t> defaultGroups,
                              std::optional<int64_t> defaultKept);
/// The same where a group's score is the sum of its two best experts: a group has two at least.
ExpertGroups readPairedGroups(Config &config, const Mixture &mixture, int64_t k, int64_t defaultGroups, int64_t defaultKept);

/// DeepSeek-V3's routing: sigmoid scores, experts chosen by biased scores within the groups whose two best sum highest, weights
/// from unbiased ones.
struct BiasedRoutingDefaults {
  double scale;
  int64_t groups, kept;
};
moe::RoutingAttr readBiasedRouting(Config &config, mlir::MLIRContext *context, const Mixture &mixture,
                                   const BiasedRoutingDefaults &defaults);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_FAMILIES_DEEPSEEK_H
