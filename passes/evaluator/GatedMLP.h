// The gated MLP of one row, which dense layers and experts share, and rounding where activations enter a product.
#ifndef MOEC_PASSES_EVALUATOR_GATEDMLP_H
#define MOEC_PASSES_EVALUATOR_GATEDMLP_H

#include "dialects/moe/MoE.h"
#include "passes/evaluator/Tensor.h"

namespace moec::evaluator {

/// `row` as it enters a matrix product.
std::vector<double> entering(std::span<const double> row, moe::Compute compute);

/// How gate and up combine, element by element.
double activate(double gate, double up, moe::ActivationAttr activation);

/// activation(gate row + gate bias, up row + up bias); an absent bias is empty.
std::vector<double> gatedHidden(std::span<const double> row, const Matrix &gate, const Matrix &up, moe::ActivationAttr activation,
                                moe::Compute compute, std::span<const double> gateBias = {}, std::span<const double> upBias = {});

/// sum += weight x (down hidden + bias); an absent bias is empty.
void addDown(std::span<double> sum, double weight, const Matrix &down, std::span<const double> hidden, moe::Compute compute,
             std::span<const double> bias = {});

/// sum += row.
void addRow(std::span<double> sum, std::span<const double> row);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_GATEDMLP_H
