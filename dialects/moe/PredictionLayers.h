// Layers of a checkpoint that predict tokens beyond the next one. A model works without them: what is compiled leaves them aside.
#ifndef MOEC_DIALECTS_MOE_PREDICTIONLAYERS_H
#define MOEC_DIALECTS_MOE_PREDICTIONLAYERS_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace moec::moe {

/// How many there are, and what they hold, as it is stored.
struct PredictionLayers {
  int64_t layers = 0, parameters = 0, bytes = 0;
  int64_t absent = 0; ///< how many more the config declares, which are not in the files

  std::string inWords() const { return inWords(layers); }
  std::string absentInWords() const { return inWords(absent) + ", which the config declares"; }

private:
  static std::string inWords(int64_t layers);
};

/// Says so in an attribute of `module`; none where there is nothing to say.
void setPredictionLayers(mlir::ModuleOp module, const PredictionLayers &found);

/// What the attribute says; none where it is absent or something else.
PredictionLayers predictionLayersOf(mlir::ModuleOp module);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_PREDICTIONLAYERS_H
