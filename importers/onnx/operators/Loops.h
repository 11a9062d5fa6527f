// Loops whose turns a graph makes.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_LOOPS_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_LOOPS_H

#include "importers/onnx/Compound.h"

namespace moec::importers::onnx {

/// What a value that different ways lead to has in common: sizes that differ are not known.
mlir::FailureOr<mlir::RankedTensorType> commonType(Call &call, const Tensor &a, const Tensor &b);
mlir::Value castTo(Emitter &e, mlir::Value value, mlir::RankedTensorType type);
bool isScalar(const Tensor &tensor, DataType type);

/// What one turn of a loop makes: the values that go round, an entry for each collected output, and whether there is a next turn.
struct Turn {
  Tensors carried, entries;
  mlir::Value goesOn; ///< i1; null when that depends on the count alone
};
using TurnFunction =
    llvm::function_ref<mlir::FailureOr<Turn>(mlir::Value index, mlir::Value goesOn, llvm::ArrayRef<Tensor> carried)>;

/// Turns until `count` (null: no bound) of them are over or one says so; answers what was carried, then what was collected.
mlir::FailureOr<Tensors> runLoop(Call &call, mlir::Value count, mlir::Value goesOn, Tensors carried, TurnFunction turn);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_LOOPS_H
