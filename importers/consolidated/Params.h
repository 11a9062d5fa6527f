// params.json in the words of config.json.
#ifndef MOEC_IMPORTERS_CONSOLIDATED_PARAMS_H
#define MOEC_IMPORTERS_CONSOLIDATED_PARAMS_H

#include "importers/config/Config.h"

namespace moec::importers::consolidated {

/// What config.json would say of the same model.
struct Params {
  json::Object config;
  /// How params.json calls each of its keys.
  KeyNames names;
  /// It has latent attention, a mixture of experts, YaRN, an eye.
  bool isLatent = false, isMixture = false, hasYarn = false, sees = false;
};

/// Translates every key, or remembers one that is missing, or that nobody knows, as a problem of `params`.
Params readParams(Config &params);

} // namespace moec::importers::consolidated

#endif // MOEC_IMPORTERS_CONSOLIDATED_PARAMS_H
