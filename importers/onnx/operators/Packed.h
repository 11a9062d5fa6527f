// Integers of few bits packed into bytes, and what their scales make of them.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_PACKED_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_PACKED_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// Rows of `columns` integers of `bits`, each row a stream of bits from the low ones of its bytes on.
struct Packed {
  Tensor bytes;               ///< uint8 [..., rows, bytes of a row]
  Tensor scales;              ///< [..., rows, blocks]
  std::optional<Tensor> zero; ///< packed as the values are, or numbers of the scales' type; 2^(bits - 1) when absent
  int64_t bits, columns, block;
};

/// The numbers, (integer - zero) x scale, as f32 computed when it runs.
Tensor dequantized(Emitter &e, const Packed &packed);

/// Of weights in files, the same as a reference for moe ops: rows [from, from + count) of each entry, every `step`-th; null where
/// that cannot be said.
mlir::Value dequantizedWeight(Emitter &e, const Packed &packed, int64_t from, int64_t step, int64_t count);

/// Of a tensor [entries, rows, columns] or [entries, rows], the rows [from, from + count x step) of each entry, every `step`-th: a
/// weight where it lies in a file.
mlir::Value rowsOfEntries(Emitter &e, const Tensor &tensor, int64_t from, int64_t step, int64_t count);

/// A weight as an operand of moe ops.
mlir::Value weightOperand(Emitter &e, const Tensor &tensor);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_PACKED_H
