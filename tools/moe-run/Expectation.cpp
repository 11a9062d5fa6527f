// Compares logits with a golden array, row by row.
#include "tools/moe-run/Expectation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace moec::run;
using namespace moec::runtime;

Result<Expectation> Expectation::read(const std::string &path, int64_t rows, int64_t width, double absolute, double relative) {
  Result<NpyArray> array = readNpy(path);
  if (!array.ok())
    return array.status();
  if (array->shape != std::vector<int64_t>{rows, width} || !array->isFloat()) {
    std::string shape;
    for (int64_t dim : array->shape)
      shape += (shape.empty() ? "" : ", ") + std::to_string(dim);
    return Status::invalidData(path + ": expected floats [" + std::to_string(rows) + ", " + std::to_string(width) + "], got [" +
                               shape + "]");
  }
  Expectation expectation;
  expectation.golden = std::move(*array);
  expectation.absolute = absolute;
  expectation.relative = relative;
  return expectation;
}

void Expectation::compare(std::span<const float> row) {
  const double *expected = golden.floats.data() + nextRow * golden.shape[1];
  for (size_t column = 0; column < row.size(); ++column) {
    double error = std::abs(double(row[column]) - expected[column]);
    largest = std::max(largest, std::abs(expected[column]));
    Element element{nextRow, int64_t(column), row[column], expected[column]};
    if (!(error <= absolute + relative * std::abs(expected[column])) && differing++ == 0) // also when either is no number
      first = element;
    if (!(error <= worstError)) {
      worstError = std::isnan(error) ? INFINITY : error;
      worst = element;
    }
  }
  ++nextRow;
}

std::string Expectation::describe(const Element &element) const {
  char text[160];
  std::snprintf(text, sizeof text, "[%lld, %lld]: expected %.9g, got %.9g", static_cast<long long>(element.row),
                static_cast<long long>(element.column), element.expected, element.got);
  return text;
}

std::string Expectation::report() const {
  if (worstError == 0)
    return "every element is equal";
  char error[96];
  std::snprintf(error, sizeof error, "largest error %.3g (%.3g of the largest expected magnitude)", worstError,
                largest > 0 ? worstError / largest : 0.0);
  std::string text = std::string(error) + " at " + describe(worst);
  if (!holds())
    text = std::to_string(differing) + " elements differ, first " + describe(first) + "; " + text;
  return text;
}
