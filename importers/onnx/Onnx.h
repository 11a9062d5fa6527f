// An ONNX model in, a module out.
#ifndef MOEC_IMPORTERS_ONNX_ONNX_H
#define MOEC_IMPORTERS_ONNX_ONNX_H

#include "importers/files/ModelFolder.h"
#include "importers/onnx/Model.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace moec::importers::onnx {

/// Imports the model in the file `fileName` in `folder`: a module whose function @main has the graph's inputs and outputs. Whoever
/// wrote the file, the answer is a verified module or an error that names the file and the node or tensor.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importModel(const ModelFolder &folder, llvm::StringRef fileName,
                                                              mlir::MLIRContext &context, bool widens = false);

/// The same of a model that was read.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> buildModel(Model &model, mlir::MLIRContext &context, bool widens = false);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_ONNX_H
