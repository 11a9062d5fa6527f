// A checkpoint in, a module of the moe dialect out.
#ifndef MOEC_IMPORTERS_IMPORTER_H
#define MOEC_IMPORTERS_IMPORTER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include "llvm/Support/Error.h"

namespace moec::importers {

/// Imports the model in the folder `path`: reads config.json (or params.json) and the headers of the weights, never the weights.
/// Whoever wrote the files, the answer is a verified module or an error that says which file is wrong, where, and how.
///
/// With `widens`, a graph in half floats becomes the same in f32, without what rounds in between, and the module says
/// `moe.widened` if that changed it. Its inputs and outputs are f32 then, and so are its weights: `moe.stored_as` says which bytes
/// they are. What reads them has to heed that, so that this is for raising alone (passes/raise).
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importModel(llvm::StringRef path, mlir::MLIRContext &context,
                                                              bool widens = false);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_IMPORTER_H
