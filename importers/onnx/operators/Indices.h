// Indices that come from tensors: held to their range, counted from the front.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_INDICES_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_INDICES_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// Refuses indices that are known to be outside [-size, size); ends the run for those that turn out to be.
mlir::LogicalResult checkIndices(Call &call, const Tensor &indices, const Extent &size);
/// The same of tuples in the last dimension, which index the dimensions of `data` after the first `batch`.
mlir::LogicalResult checkTuples(Call &call, const Tensor &data, const Tensor &indices, int64_t batch);
mlir::LogicalResult checkWithin(Call &call, const Extent &part, const Extent &whole);
/// A checked index as one of type index that is not negative.
mlir::Value fromFront(Scalars &s, mlir::Value index, mlir::Value size);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_INDICES_H
