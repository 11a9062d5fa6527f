// The moe dialect: Mixture-of-Experts language models at the level of tensors.
#ifndef MOEC_DIALECTS_MOE_MOE_TD
#define MOEC_DIALECTS_MOE_MOE_TD

include "dialects/moe/Dialect.td"
include "dialects/moe/Attributes.td"
include "dialects/moe/ModelOps.td"
include "dialects/moe/DenseOps.td"
include "dialects/moe/ExpertOps.td"
include "dialects/moe/AttentionOps.td"
include "dialects/moe/StreamOps.td"

#endif // MOEC_DIALECTS_MOE_MOE_TD
