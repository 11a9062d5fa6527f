// The record of a function: what goes in, what comes out, and what it is made of.
#ifndef MOEC_LOWERING_ARTIFACT_FUNCTIONRECORD_H
#define MOEC_LOWERING_ARTIFACT_FUNCTIONRECORD_H

#include "dialects/plan/Functions.h"
#include "runtime/schema/Artifact_generated.h"
#include "llvm/Support/Error.h"

namespace moec::lowering {

/// `indexOf` gives a weight's index in the manifest.
llvm::Expected<artifact::FunctionT> recordOf(plan::FunctionOp function, llvm::function_ref<uint32_t(mlir::StringAttr)> indexOf);

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_FUNCTIONRECORD_H
