// Values of the reference evaluator: every element type as f64, row-major.
#include "passes/evaluator/Tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace moec::evaluator;

static size_t countOf(const std::vector<int64_t> &shape) {
  size_t count = 1;
  for (int64_t dim : shape)
    count *= size_t(dim);
  return count;
}

Tensor::Tensor(std::vector<int64_t> shape) : shape(std::move(shape)) { elements.resize(countOf(this->shape)); }

Tensor::Tensor(std::vector<int64_t> shape, std::vector<double> elements) : shape(std::move(shape)), elements(std::move(elements)) {}

std::optional<size_t> moec::evaluator::offsetOf(const Tensor &tensor, std::span<const int64_t> place) {
  size_t offset = 0;
  for (size_t dim = 0; dim < tensor.shape.size(); ++dim) {
    if (place[dim] < 0 || place[dim] >= tensor.shape[dim])
      return std::nullopt;
    offset = offset * size_t(tensor.shape[dim]) + size_t(place[dim]);
  }
  return offset;
}

void moec::evaluator::forEachPlace(std::span<const int64_t> shape, const std::function<bool(std::span<const int64_t>)> &visit) {
  std::vector<int64_t> place(shape.size());
  for (int64_t dim : shape)
    if (dim == 0)
      return;
  for (;;) {
    if (!visit(place))
      return;
    size_t dim = shape.size();
    while (dim > 0 && ++place[dim - 1] == shape[dim - 1])
      place[--dim] = 0;
    if (dim == 0)
      return;
  }
}

double moec::evaluator::dot(std::span<const double> a, std::span<const double> b) {
#pragma clang fp reassociate(on) // lets the sum run in vector lanes; f64 leaves room for any order
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

std::vector<double> moec::evaluator::product(const Matrix &matrix, std::span<const double> vector) {
  std::vector<double> result(matrix.rows);
  for (int64_t i = 0; i < matrix.rows; ++i)
    result[i] = dot(matrix.row(i), vector);
  return result;
}

double moec::evaluator::roundToBF16(double value) {
  if (!std::isfinite(value))
    return value;
  // bf16 has f32's exponents and 8 significant bits; adding and subtracting 1.5 x 2^52 ulps rounds to nearest even in one step.
  int exponent = std::max(std::ilogb(value == 0 ? 1.0 : value), -126);
  double shifter = std::ldexp(1.5, 52 + exponent - 7);
  double rounded = (value + shifter) - shifter;
  return std::fabs(rounded) >= 0x1p128 ? std::copysign(std::numeric_limits<double>::infinity(), value) : rounded;
}

double moec::evaluator::normalizedError(const Tensor &value, const Tensor &reference) {
  if (value.shape != reference.shape)
    return std::numeric_limits<double>::infinity();
  double difference = 0, energy = 0;
  for (size_t i = 0; i < reference.elements.size(); ++i) {
    double a = value.elements[i], b = reference.elements[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) { // equal infinities too, whose difference is not a number
      if (std::isfinite(b))
        energy += b * b;
      continue;
    }
    difference += (a - b) * (a - b);
    energy += b * b;
  }
  if (difference == 0)
    return 0;
  double error = difference / energy;
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}
