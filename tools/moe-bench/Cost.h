// What steps cost: FLOP and bytes, from what the compiler counted for single rows and which experts were chosen.
#ifndef MOEC_TOOLS_MOE_BENCH_COST_H
#define MOEC_TOOLS_MOE_BENCH_COST_H

#include "runtime/artifact/Artifact.h"

#include <vector>

namespace moec::bench {

/// FLOP of a launch, but for attention's to positions cached before.
double flopOf(const artifact::Manifest &manifest, const artifact::Launch &launch, double tokens, double outputs);

/// FLOP of a step of `phase`, but for attention's to positions cached before.
double flopOf(const artifact::Manifest &manifest, const char *phase, double tokens, double outputs);

/// Bytes of weights that decode steps read.
struct DecodeBytes {
  double everyStep = 0;        ///< whatever the tokens
  double everyToken = 0;       ///< rows of the embedding
  std::vector<double> experts; ///< all experts of each routed layer, as Session counts these
};
DecodeBytes decodeBytesOf(const artifact::Manifest &manifest);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_COST_H
