// The products that decide which experts a token goes to, and others that decide instead of computing.
#ifndef MOEC_PASSES_ROUTERS_H
#define MOEC_PASSES_ROUTERS_H

#include "dialects/moe/MoE.h"
#include "mlir/IR/BuiltinOps.h"

namespace moec::passes {

/// The products from which logits of routing are made. Close calls between experts are decided there, and their cost does not show.
llvm::DenseSet<mlir::Operation *> routersOf(mlir::ModuleOp module);

/// Those, and the products that weigh residual streams or the heads that choose positions: small, and all that follows hangs on
/// them.
llvm::DenseSet<mlir::Operation *> controlsOf(mlir::ModuleOp module);

} // namespace moec::passes

#endif // MOEC_PASSES_ROUTERS_H
