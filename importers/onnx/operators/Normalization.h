// Softmax and norms, for operators that contain them.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_NORMALIZATION_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_NORMALIZATION_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

Tensor softmax(Emitter &e, const Tensor &input, int64_t axis, bool isLogarithm = false);
Tensor mean(Emitter &e, const Tensor &input, llvm::ArrayRef<int64_t> axes);
/// 1 / sqrt(x + epsilon)
Tensor inverseRoot(Emitter &e, const Tensor &input, double epsilon);

struct Normalized {
  Tensor value, mean, inverseDeviation;
};
/// (x - mean) / sqrt(variance + epsilon), not narrower than f32.
Normalized normalize(Emitter &e, const Tensor &input, llvm::ArrayRef<int64_t> axes, double epsilon);

/// x / sqrt(mean(x^2) + epsilon) x scale over the dimensions from `axis` on: moe.rms_norm where the scale is a weight of the last
/// one.
mlir::FailureOr<Tensor> rmsNorm(Call &call, const Tensor &input, const Tensor &scale, int64_t axis, double epsilon,
                                Tensor *inverse);
std::optional<Tensor> rmsNormRows(Emitter &e, const Tensor &input, const Tensor &scale, double epsilon);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_NORMALIZATION_H
