// Values of the reference evaluator: every element type as f64, row-major.
#ifndef MOEC_PASSES_EVALUATOR_TENSOR_H
#define MOEC_PASSES_EVALUATOR_TENSOR_H

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace moec::evaluator {

/// A tensor of any element type, or with no dimension a number. f64 holds every f32, bf16, 8-bit float and i32 exactly, and every
/// i64 up to 2^53.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> elements;

  Tensor() = default;
  explicit Tensor(std::vector<int64_t> shape);
  Tensor(std::vector<int64_t> shape, std::vector<double> elements);

  /// The last dimension, and how many rows of that width there are.
  int64_t width() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const { return width() ? int64_t(elements.size()) / width() : 0; }
  std::span<double> row(int64_t i) { return std::span(elements).subspan(i * width(), width()); }
  std::span<const double> row(int64_t i) const { return std::span(elements).subspan(i * width(), width()); }
};

/// Where the element at `place` is; nothing when that is outside of the tensor.
std::optional<size_t> offsetOf(const Tensor &tensor, std::span<const int64_t> place);

/// Calls `visit` with every place of a tensor of `shape`, in the order of its elements, until it returns false.
void forEachPlace(std::span<const int64_t> shape, const std::function<bool(std::span<const int64_t>)> &visit);

/// Rows of a matrix in memory: a whole weight of rank 2, or one expert's or head's part of a weight of rank 3.
struct Matrix {
  const double *elements;
  int64_t rows, columns;

  explicit Matrix(const Tensor &weight) : elements(weight.elements.data()), rows(weight.rows()), columns(weight.width()) {}
  /// Entry `index` of the first dimension of a weight of rank 3.
  Matrix(const Tensor &weight, int64_t index)
      : elements(weight.elements.data() + index * weight.shape[1] * weight.shape[2]), rows(weight.shape[1]),
        columns(weight.shape[2]) {}
  std::span<const double> row(int64_t i) const { return {elements + i * columns, size_t(columns)}; }
};

/// The sum of products of two equally long rows.
double dot(std::span<const double> a, std::span<const double> b);

/// matrix x vector.
std::vector<double> product(const Matrix &matrix, std::span<const double> vector);

/// `value` rounded to bf16, to nearest even.
double roundToBF16(double value);

/// Mean squared difference over mean squared reference: 0 for equal values, NaN at the same places included; infinity for
/// different shapes.
double normalizedError(const Tensor &value, const Tensor &reference);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_TENSOR_H
