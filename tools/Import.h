// A model from its files, in the ops that the compiler is for.
#ifndef MOEC_TOOLS_IMPORT_H
#define MOEC_TOOLS_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace moec::tools {

/// What importers::importModel makes of `path`; a graph is raised as well, unless it is to stay in the ops of its nodes.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importModel(llvm::StringRef path, mlir::MLIRContext &context, bool raise);

} // namespace moec::tools

#endif // MOEC_TOOLS_IMPORT_H
