// Evaluation of attention over rows that are operands, and what it shares with attention over caches.
#ifndef MOEC_PASSES_EVALUATOR_ROWATTENTION_H
#define MOEC_PASSES_EVALUATOR_ROWATTENTION_H

#include "passes/evaluator/Frame.h"
#include "passes/evaluator/GatedMLP.h"

#include <optional>

namespace moec::evaluator {

mlir::LogicalResult evaluateRowAttention(moe::AttentionOp op, Frame &frame);
mlir::LogicalResult evaluateRowAttention(moe::LatentAttentionOp op, Frame &frame);
mlir::LogicalResult evaluateRowAttention(moe::AbsorbedAttentionOp op, Frame &frame);

/// Turns scores into probabilities; a sink takes its share of the sum and gives nothing.
void softmax(std::vector<double> &scores, std::optional<double> sink);
/// matrix^T x vector.
std::vector<double> transposedProduct(const Matrix &matrix, std::span<const double> vector);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_ROWATTENTION_H
