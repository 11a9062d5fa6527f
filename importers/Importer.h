// A checkpoint in, a module of the moe dialect out.
#ifndef MOEC_IMPORTERS_IMPORTER_H
#define MOEC_IMPORTERS_IMPORTER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include "llvm/Support/Error.h"

namespace moec::importers {

/// Imports the model in the folder `path`: reads config.json (or params.json) and the headers of the weights, never the weights.
/// Whoever wrote the files, the answer is a verified module or an error that says which file is wrong, where, and how.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importModel(llvm::StringRef path, mlir::MLIRContext &context);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_IMPORTER_H
