// What #moe.routing means beyond its parameters.
#ifndef MOEC_DIALECTS_MOE_ROUTING_H
#define MOEC_DIALECTS_MOE_ROUTING_H

#include "dialects/moe/MoE.h"

namespace moec::moe {

/// Whether logits themselves are keys: of sigmoids to which nothing is added, which keep their order, but are equal where logits
/// are large.
bool choosesByLogits(RoutingAttr routing, bool hasBias);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_ROUTING_H
