// The manifest of a plan: one record for each op.
#ifndef MOEC_LOWERING_ARTIFACT_MANIFEST_H
#define MOEC_LOWERING_ARTIFACT_MANIFEST_H

#include "dialects/plan/Plan.h"
#include "lowering/GpuCode.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/schema/Artifact_generated.h"
#include "llvm/Support/Error.h"

namespace moec::lowering {

/// Where the parts of each weight lie in the artifact or beside it, in the order of the plan's weights.
struct PlacedWeights {
  std::vector<std::vector<artifact::WeightRunT>> runs;
  std::vector<artifact::WeightFileT> files;
};

/// Everything of a manifest that is in the plan: the model, weights, caches, buffers, kernels, programs, functions, routing.
/// Sections, code and provenance are the writer's to add.
llvm::Expected<artifact::ManifestT> manifestOf(mlir::ModuleOp plan, PlacedWeights weights);

/// The record of code for GPUs, but for its sections.
artifact::GpuCodeT recordOf(const GpuCode &code);

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_MANIFEST_H
