// Which keys the queries of an attention across rows see, when it is a step's.
#ifndef MOEC_PASSES_RAISE_VISIBLEKEYS_H
#define MOEC_PASSES_RAISE_VISIBLEKEYS_H

#include "passes/raise/StepArguments.h"

#include <map>

namespace moec::passes {

/// What decides on that: operands and attributes of an attention.
struct Visibility {
  mlir::Value lengths, first, bias;
  std::optional<int64_t> window;
};

/// A query sees the positions up to its own, the last `window` of them if given.
struct CausalMatch {
  std::optional<int64_t> window;
  std::string problem; ///< why queries see other positions than these; empty when they do not
};
/// What was found of earlier attention: layers in which it is the same function of the arguments are tried once.
using CausalMatches = std::map<std::string, CausalMatch>;
CausalMatch matchCausal(const Visibility &visibility, const StepArguments &arguments, CausalMatches &known);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_VISIBLEKEYS_H
