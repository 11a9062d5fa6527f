// Where router logits may be.
#ifndef MOEC_PASSES_RAISE_LOGITS_H
#define MOEC_PASSES_RAISE_LOGITS_H

#include "passes/raise/Flow.h"

namespace moec::passes {

/// What `scores` may be computed from, the farthest first: a matrix product or an argument, and what is made of it element by
/// element. Whatever mixes the scores of experts belongs to the routing.
llvm::SmallVector<mlir::Value> logitsOf(const Flow &flow, mlir::Value scores);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_LOGITS_H
