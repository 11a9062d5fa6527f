// How one token's router logits become expert ids and weights.
#ifndef MOEC_PASSES_EVALUATOR_ROUTING_H
#define MOEC_PASSES_EVALUATOR_ROUTING_H

#include "dialects/moe/MoE.h"

#include <span>
#include <vector>

namespace moec::evaluator {

struct Choice {
  std::vector<int64_t> ids;
  std::vector<double> weights;
};

/// The steps of `#moe.routing` in their order. The bias is empty when absent.
Choice route(std::span<const double> logits, std::span<const double> bias, moe::RoutingAttr routing);

/// The same for experts that a table has chosen.
Choice routeByTable(std::span<const double> logits, std::span<const double> chosen, moe::RoutingAttr routing);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_ROUTING_H
