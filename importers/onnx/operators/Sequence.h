// Loops whose turns follow each other.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_SEQUENCE_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_SEQUENCE_H

#include "importers/onnx/Call.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace moec::importers::onnx {

/// Makes the next state of a tensor from indices and the present one.
using SequenceFunction = llvm::function_ref<mlir::Value(Scalars &, mlir::ValueRange indices, mlir::Value current)>;

/// What becomes of `start` over all indices, the last one fastest.
Tensor inSequence(Emitter &e, const Tensor &start, llvm::ArrayRef<Extent> loops, SequenceFunction step);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_SEQUENCE_H
