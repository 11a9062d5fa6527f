// Compares logits with a golden array, row by row.
#ifndef MOEC_TOOLS_MOE_RUN_EXPECTATION_H
#define MOEC_TOOLS_MOE_RUN_EXPECTATION_H

#include "runtime/npy/Npy.h"

#include <span>

namespace moec::run {

/// Holds where the results first differ and where they differ most, against |got - expected| <= absolute + relative x |expected|.
class Expectation {
public:
  static runtime::Result<Expectation> read(const std::string &path, int64_t rows, int64_t width, double absolute, double relative);

  void compare(std::span<const float> row);
  bool holds() const { return differing == 0; }
  /// A sentence about the outcome: the first and the worst element.
  std::string report() const;

private:
  struct Element {
    int64_t row = 0, column = 0;
    double got = 0, expected = 0;
  };
  std::string describe(const Element &element) const;

  runtime::NpyArray golden;
  double absolute = 0, relative = 0, worstError = 0, largest = 0;
  int64_t nextRow = 0, differing = 0;
  Element first, worst;
};

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_EXPECTATION_H
