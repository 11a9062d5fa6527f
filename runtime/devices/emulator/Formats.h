// Floating-point formats of 16 and 8 bits: to and from float, with every rounding that PTX has.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_FORMATS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_FORMATS_H

#include <bit>
#include <cmath>
#include <cstdint>

namespace moec::runtime::emulator {

enum class Rounding : uint8_t { nearestEven, zero, down, up, nearestAway };

/// What a format can hold; values are (-1)^s 2^(e - bias) 1.m, and subnormal below.
struct FormatTraits {
  int exponentBits, mantissaBits, bias;
  bool hasInfinity; ///< otherwise the largest exponent holds numbers, and only all ones are no number
};
constexpr FormatTraits halfTraits{5, 10, 15, true};
constexpr FormatTraits bfloatTraits{8, 7, 127, true};
constexpr FormatTraits tf32Traits{8, 10, 127, true};
constexpr FormatTraits e4m3Traits{4, 3, 7, false};
constexpr FormatTraits e5m2Traits{5, 2, 15, true};
constexpr FormatTraits floatTraits{8, 23, 127, true};

/// Rounds a number to a format's bits. `saturates`: what is too large becomes the largest finite number.
uint32_t roundTo(const FormatTraits &traits, double value, Rounding rounding, bool saturates);

inline float bfloatToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
inline uint16_t floatToBfloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return 0x7fff;
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float halfToFloat(uint16_t bits) { return float(std::bit_cast<_Float16>(bits)); }
inline uint16_t floatToHalf(float value) { return value != value ? 0x7fff : std::bit_cast<uint16_t>(_Float16(value)); }
float e4m3ToFloat(uint8_t bits);
float e5m2ToFloat(uint8_t bits);

/// A double to float that keeps, in its last bit, whether it is inexact: rounding once more, to at most 22 bits, is then right.
inline float roundToOdd(double value) {
  float nearest = float(value);
  if (double(nearest) == value || !std::isfinite(nearest) || (std::bit_cast<uint32_t>(nearest) & 1))
    return nearest;
  // The neighbour on the other side of the value has an odd last bit.
  bool larger = std::abs(double(nearest)) < std::abs(value);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(nearest) + (larger ? 1 : -1));
}

/// Subnormal numbers become zeros.
inline float flush(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return bits & 0x7f800000 ? value : std::bit_cast<float>(bits & 0x80000000);
}

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_FORMATS_H
