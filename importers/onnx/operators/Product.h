// numpy's matmul.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_PRODUCT_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_PRODUCT_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// The product over the last dimension of `a` and the last but one of `b`, for all that broadcast before them.
mlir::FailureOr<Tensor> product(Call &call, Tensor a, Tensor b, DataType type);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_PRODUCT_H
