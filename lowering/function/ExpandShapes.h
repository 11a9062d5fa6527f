// Shapes that are expanded by several dimensions that only a run knows.
#ifndef MOEC_LOWERING_FUNCTION_EXPANDSHAPES_H
#define MOEC_LOWERING_FUNCTION_EXPANDSHAPES_H

#include "mlir/IR/BuiltinOps.h"

namespace moec::lowering {

/// Replaces every memref.expand_shape of `module` by the sizes and strides that it means. (Upstream's expansion of metadata takes
/// one unknown dimension in a group at most.)
void expandShapes(mlir::ModuleOp module);

} // namespace moec::lowering

#endif // MOEC_LOWERING_FUNCTION_EXPANDSHAPES_H
