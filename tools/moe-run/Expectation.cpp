// Compares results with a golden array, element by element.
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
  return Expectation(array->shape, std::move(array->floats), absolute, relative);
}

void Expectation::compare(std::span<const float> row) {
  for (float got : row)
    compare(double(got));
}

void Expectation::compare(std::span<const double> elements) {
  for (double got : elements)
    compare(got);
}

void Expectation::compare(double got) {
  double expected = golden[next];
  bool same = got == expected || (std::isnan(got) && std::isnan(expected)); // infinities have no distance
  double error = same ? 0 : std::abs(got - expected);
  largest = std::max(largest, std::abs(expected));
  Element element{next++, got, expected};
  if (!(error <= absolute + relative * std::abs(expected)) && differing++ == 0) // also when one is no number
    first = element;
  if (!(error <= worstError)) {
    worstError = std::isnan(error) ? INFINITY : error;
    worst = element;
  }
}

std::string Expectation::describe(const Element &element) const {
  std::string place;
  size_t index = element.index;
  for (size_t dim = shape.size(); dim-- > 0; index /= size_t(shape[dim]))
    place = std::to_string(index % size_t(shape[dim])) + (place.empty() ? "" : ", ") + place;
  char text[96];
  std::snprintf(text, sizeof text, "]: expected %.9g, got %.9g", element.expected, element.got);
  return "[" + place + text;
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
