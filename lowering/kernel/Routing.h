// The steps of #moe.routing that one thread takes by itself, on every target.
#ifndef MOEC_LOWERING_KERNEL_ROUTING_H
#define MOEC_LOWERING_KERNEL_ROUTING_H

#include "dialects/moe/MoE.h"
#include "lowering/kernel/FunctionBuilder.h"

namespace moec::lowering {

/// A score as far as it depends on its own logit alone: what a softmax is yet to be taken of stays as it is.
Number scoreOf(moe::Score score, Number logit);

/// The key of a group of `size` experts, from their keys.
Number groupKey(FunctionBuilder &b, moe::RoutingAttr routing, Pointer keys, int64_t size);

/// The key that experts of groups get which are not kept.
double droppedKey(moe::RoutingAttr routing);

/// Of sparse_mixer: what an expert with such a key, which is its score or minus infinity once it was chosen, adds to the sum of the
/// softmax that weighs a `chosen` score.
Number shareBeside(moe::RoutingAttr routing, Number chosen, Number key);

/// What a table says, kept to the experts that there are: tables are data, and nobody has read them.
Number nearestExpert(Number id, int64_t experts);

/// Weights of the chosen experts, in place of their scores.
void weighChosen(FunctionBuilder &b, moe::RoutingAttr routing, Pointer weights);

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_ROUTING_H
