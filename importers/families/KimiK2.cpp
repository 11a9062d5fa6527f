// Kimi-K2 (arXiv 2507.20534): DeepSeek-V3 under a name of its own, with one group of experts.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeKimiK2(Config &config, mlir::MLIRContext *context) {
  config.requireGiven({"first_k_dense_replace", "norm_topk_prob", "n_group", "topk_group", "routed_scaling_factor"});
  Decoder decoder = describeDeepSeekV3(config, context);
  decoder.family = "kimi_k2";
  return decoder;
}
