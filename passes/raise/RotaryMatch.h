// Which #moe.rotary gives the cosines and sines that a graph computes of positions.
#ifndef MOEC_PASSES_RAISE_ROTARYMATCH_H
#define MOEC_PASSES_RAISE_ROTARYMATCH_H

#include "dialects/moe/MoE.h"
#include "passes/raise/StepArguments.h"

#include <map>

namespace moec::passes {

struct RotaryMatch {
  moe::RotaryAttr rotary; ///< null where none was found
  std::string problem;
};

/// What was found of earlier angles: those of all layers are mostly the same.
using RotaryMatches = std::map<std::string, RotaryMatch>;

/// `rotary` with the frequencies and the multiplier by which `cos` and `sin`, [tokens, pairs], follow from the tokens' positions.
RotaryMatch matchRotary(mlir::Value cos, mlir::Value sin, moe::RotaryAttr rotary, const StepArguments &arguments,
                        RotaryMatches &known);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_ROTARYMATCH_H
