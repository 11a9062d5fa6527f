// Compares results with a golden array, element by element.
#ifndef MOEC_TOOLS_MOE_RUN_EXPECTATION_H
#define MOEC_TOOLS_MOE_RUN_EXPECTATION_H

#include "runtime/npy/Npy.h"

#include <span>

namespace moec::run {

/// Holds where the results first differ and where they differ most, against |got - expected| <= absolute + relative x |expected|.
class Expectation {
public:
  Expectation(std::vector<int64_t> shape, std::vector<double> golden, double absolute, double relative)
      : shape(std::move(shape)), golden(std::move(golden)), absolute(absolute), relative(relative) {}
  /// Of logits, `rows` of `width`.
  static runtime::Result<Expectation> read(const std::string &path, int64_t rows, int64_t width, double absolute, double relative);

  /// The next elements, in order.
  void compare(std::span<const float> row);
  void compare(std::span<const double> elements);
  bool holds() const { return differing == 0; }
  /// A sentence about the outcome: the first and the worst element.
  std::string report() const;

private:
  struct Element {
    size_t index = 0;
    double got = 0, expected = 0;
  };
  void compare(double got);
  std::string describe(const Element &element) const;

  std::vector<int64_t> shape;
  std::vector<double> golden;
  double absolute, relative, worstError = 0, largest = 0;
  size_t next = 0, differing = 0;
  Element first, worst;
};

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_EXPECTATION_H
