// The arithmetic that all attention operators share.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_ATTENTION_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_ATTENTION_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// Which key a query sees: an i1 made from the batch entry and the two positions, or null where all are seen.
using Visibility = std::function<mlir::Value(Scalars &, mlir::Value batch, mlir::Value query, mlir::Value key)>;

struct AttentionInputs {
  Tensor query, key, value; ///< [batch, heads, length, width]; keys and values may have fewer heads
  double scale = 1;
  double softCap = 0;         ///< 0 for none
  std::optional<Tensor> mask; ///< added, or a bool that says what is seen; broadcasts, and may be shorter than the keys
  Visibility visible;
  std::optional<Tensor> sinks; ///< a logit for each head in the softmax's denominator
  std::function<mlir::FailureOr<Tensor>(Tensor)> changeScores, changeWeights;
};

struct AttentionResult {
  Tensor value;                           ///< [batch, heads, length, width]
  Tensor scores, capped, masked, weights; ///< on the way: [batch, heads, length, keys]
};

mlir::FailureOr<AttentionResult> attend(Call &call, const AttentionInputs &inputs);

/// [batch, length, heads x width] as [batch, heads, length, width], and back.
mlir::FailureOr<Tensor> splitHeads(Call &call, const Tensor &tensor, int64_t heads);
Tensor joinHeads(Emitter &e, const Tensor &tensor);

struct Rotation {
  Tensor cos, sin; ///< [batch or 1, length, dims / 2]
  int64_t dims;
  bool isInterleaved;
};
/// Of [batch, heads, length, width], the first `dims` elements turned in pairs.
Tensor rotated(Emitter &e, const Tensor &tensor, const Rotation &rotation);
/// Rows of a table by position, [batch, length].
Tensor rowsAt(Emitter &e, const Tensor &table, const Tensor &positions);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_ATTENTION_H
