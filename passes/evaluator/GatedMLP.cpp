// The gated MLP of one row, which dense layers and experts share, and rounding where activations enter a product.
#include "passes/evaluator/GatedMLP.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace moec::evaluator;
using namespace moec::moe;

std::vector<double> moec::evaluator::entering(std::span<const double> row, Compute compute) {
  std::vector<double> result(row.begin(), row.end());
  if (compute == Compute::BF16)
    llvm::transform(result, result.begin(), roundToBF16);
  return result;
}

void moec::evaluator::addRow(std::span<double> sum, std::span<const double> row) {
  for (size_t i = 0; i < sum.size(); ++i)
    sum[i] += row[i];
}

static double apply(double gate, ActivationAttr activation) {
  switch (activation.getKind()) {
  case ActivationKind::SiLU:
    return gate / (1 + std::exp(-activation.getAlpha() * gate));
  case ActivationKind::GELU:
    return gate * 0.5 * (1 + std::erf(gate / std::numbers::sqrt2));
  case ActivationKind::GELUTanh:
    return gate * 0.5 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (gate + 0.044715 * gate * gate * gate)));
  case ActivationKind::ReLU:
    return std::max(gate, 0.0);
  case ActivationKind::Identity:
    return gate;
  }
  llvm_unreachable("all kinds are handled");
}

double moec::evaluator::activate(double gate, double up, ActivationAttr activation) {
  if (auto limit = activation.getGateMax())
    gate = std::min(gate, limit->value);
  if (auto limit = activation.getUpLimit())
    up = std::clamp(up, -limit->value, limit->value);
  return apply(gate, activation) * (up + activation.getUpOffset());
}

std::vector<double> moec::evaluator::gatedHidden(std::span<const double> row, const Matrix &gate, const Matrix &up,
                                                 ActivationAttr activation, Compute compute, std::span<const double> gateBias,
                                                 std::span<const double> upBias) {
  std::vector<double> x = entering(row, compute), g = product(gate, x), u = product(up, x);
  if (!gateBias.empty())
    addRow(g, gateBias);
  if (!upBias.empty())
    addRow(u, upBias);
  for (size_t i = 0; i < g.size(); ++i)
    g[i] = activate(g[i], u[i], activation);
  return g;
}

void moec::evaluator::addDown(std::span<double> sum, double weight, const Matrix &down, std::span<const double> hidden,
                              Compute compute, std::span<const double> bias) {
  std::vector<double> y = product(down, entering(hidden, compute));
  if (!bias.empty())
    addRow(y, bias);
  for (size_t i = 0; i < sum.size(); ++i)
    sum[i] += weight * y[i];
}
