// Arithmetic on shapes, done while importing.
#ifndef MOEC_IMPORTERS_ONNX_SHAPEFOLDING_H
#define MOEC_IMPORTERS_ONNX_SHAPEFOLDING_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// Gives the node's output as known elements where it is a small tensor of integers whose inputs are; fails, and leaves the node to
/// its builder, where it is not or where the node is wrong.
mlir::LogicalResult foldShape(Call &call);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_SHAPEFOLDING_H
