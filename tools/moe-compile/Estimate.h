// What a model needs when it runs, from its plan alone.
#ifndef MOEC_TOOLS_MOE_COMPILE_ESTIMATE_H
#define MOEC_TOOLS_MOE_COMPILE_ESTIMATE_H

#include "dialects/moe/PredictionLayers.h"

#include <string>

namespace moec::compile {

struct Estimate {
  std::string family;
  int64_t parameters = 0, maxSequence = 0, maxBatch = 0;
  int64_t weightBytes = 0, cacheBytesPerPosition = 0, cacheBytes = 0, activationBytes = 0, constantBytes = 0;

  // Of one token in decode: what is read of the weights, and FLOP when it sees no position but its own, and for each further one.
  int64_t activeParameters = 0, activeBytes = 0, flop = 0, flopPerPosition = 0;

  moe::PredictionLayers setAside; ///< in none of the figures above

  int64_t memory = 0; ///< that there is
  int64_t needed() const { return weightBytes + cacheBytes + activationBytes + constantBytes; }
  bool fits() const { return needed() <= memory; }

  std::string page() const;
  std::string json() const;
};

/// For `memory` bytes; 0 for this machine's.
Estimate estimate(mlir::ModuleOp plan, int64_t memory);

} // namespace moec::compile

#endif // MOEC_TOOLS_MOE_COMPILE_ESTIMATE_H
