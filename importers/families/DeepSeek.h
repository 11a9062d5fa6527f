// What DeepSeek-V2 and V3 have in common besides latent attention.
#ifndef MOEC_IMPORTERS_FAMILIES_DEEPSEEK_H
#define MOEC_IMPORTERS_FAMILIES_DEEPSEEK_H

#include "importers/config/Config.h"
#include "importers/decoder/Decoder.h"

namespace moec::importers {

/// What absent keys mean.
struct DeepSeekDefaults {
  int64_t experts, shared, expertWidth, denseWidth, denseLayers;
};

/// Dense layers first, then mixtures with shared experts. All of the mixture but its routing.
void readDeepSeekLayers(Config &config, Decoder &decoder, const DeepSeekDefaults &defaults);

/// How many groups there are and how many are kept; the experts must divide evenly, and the kept groups hold all that are chosen.
struct ExpertGroups {
  int64_t groups, kept;
};
ExpertGroups readExpertGroups(Config &config, const Mixture &mixture, int64_t k, std::optional<int64_t> defaultGroups,
                              std::optional<int64_t> defaultKept);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_FAMILIES_DEEPSEEK_H
