// The arithmetic that all attention operators share.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_ATTENTION_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_ATTENTION_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// Which key a query sees: an i1 made from the batch entry and the two positions, or null where all are seen.
using Visibility = std::function<mlir::Value(Scalars &, mlir::Value batch, mlir::Value query, mlir::Value key)>;

/// A number of a batch entry, of type index.
using CountFunction = std::function<mlir::Value(Scalars &, mlir::Value batch)>;

/// What `visible` says, in numbers: a key is seen that lies before `length` (null: all keys) and, where there is `first`, not
/// after its query, of which `first` is the first one's position among keys, and within `window` of it. A query at a position of no
/// key then sees none.
struct Counted {
  CountFunction length, first;
  std::optional<int64_t> window;
};

struct AttentionInputs {
  Tensor query, key, value; ///< [batch, heads, length, width]; keys and values may have fewer heads
  double scale = 1;
  double softCap = 0;         ///< 0 for none
  std::optional<Tensor> mask; ///< added, or a bool that says what is seen; broadcasts, and may be shorter than the keys
  Visibility visible;
  std::optional<Counted> counted; ///< where numbers say all that `visible` says
  bool wantsScores = false;       ///< what is on the way is asked for
  std::optional<Tensor> sinks;    ///< a logit for each head in the softmax's denominator
  std::function<mlir::FailureOr<Tensor>(Tensor)> changeScores, changeWeights;
};

struct AttentionResult {
  Tensor value;                           ///< [batch, heads, length, width]
  Tensor scores, capped, masked, weights; ///< on the way, where they are wanted: [batch, heads, length, keys]
};

/// As a moe.attention where that says it, else as contractions and maps.
mlir::FailureOr<AttentionResult> attend(Call &call, const AttentionInputs &inputs);
/// Nothing, after a missed remark, for what moe.attention does not say.
mlir::FailureOr<std::optional<Tensor>> attendRows(Call &call, const AttentionInputs &inputs);
/// Scores [batch, heads, length, keys] with minus infinity for what is not seen.
mlir::FailureOr<Tensor> masked(Call &call, const AttentionInputs &inputs, const Tensor &scores);
/// Remarks that what the present node says does not become an op of the moe dialect.
void staysGeneric(Emitter &e, const llvm::Twine &why);

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
/// As a moe.rope; nothing, after a missed remark, where that does not say it.
std::optional<Tensor> rotatedRows(Emitter &e, const Tensor &tensor, const Rotation &rotation);
/// Rows of a table by position, [batch, length].
Tensor rowsAt(Emitter &e, const Tensor &table, const Tensor &positions);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_ATTENTION_H
