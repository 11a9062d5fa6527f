// Element types of the compiler as an artifact names them.
#ifndef MOEC_LOWERING_ARTIFACT_ELEMENTTYPE_H
#define MOEC_LOWERING_ARTIFACT_ELEMENTTYPE_H

#include "mlir/IR/Types.h"
#include "runtime/schema/Artifact_generated.h"
#include "llvm/Support/Error.h"

namespace moec::lowering {

/// `type` in an artifact, where integers of 8 bits are bytes; `where` is for the message when it has no place there.
llvm::Expected<artifact::ElementType> elementOf(mlir::Type type, const llvm::Twine &where);

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_ELEMENTTYPE_H
