// Rounding rows of numbers to integers with scales.
#ifndef MOEC_DIALECTS_MOE_ROUNDING_H
#define MOEC_DIALECTS_MOE_ROUNDING_H

#include "dialects/moe/Requantization.h"

#include <cstdint>
#include <span>

namespace moec::moe {

/// How far rounded numbers lie from what they stand for: sums of squares.
struct RoundingError {
  double difference = 0, all = 0;
  bool isFinite = true; ///< no number was infinite or none at all; else what was written means nothing
  RoundingError &operator+=(const RoundingError &other);
};

/// To 8 bits, -127 to 127: the largest of `columns` neighbours becomes 127. `scales` gets the bits of one bf16 for each.
RoundingError roundToInt8(std::span<const float> row, size_t columns, int8_t *numbers, uint16_t *scales);

/// To 4 bits, -8 to 7, each stored plus 8, two to a byte, the first in its low half. Of a few scales, that which leaves the least
/// error.
RoundingError roundToInt4(std::span<const float> row, size_t columns, uint8_t *numbers, uint16_t *scales);

/// A row of `file`, as that holds it.
RoundingError roundRow(const Requantization &file, std::span<const float> row, char *numbers, std::span<uint16_t> scales);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_ROUNDING_H
