// Rounding to small formats, exactly.
#include "runtime/devices/emulator/Formats.h"

#include <array>

using namespace moec::runtime::emulator;

static double roundToInteger(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::nearestEven:
    return std::nearbyint(value);
  case Rounding::zero:
    return std::trunc(value);
  case Rounding::down:
    return std::floor(value);
  case Rounding::up:
    return std::ceil(value);
  case Rounding::nearestAway:
    return std::round(value);
  }
  return value;
}

uint32_t moec::runtime::emulator::roundTo(const FormatTraits &traits, double value, Rounding rounding, bool saturates) {
  const uint32_t exponentMask = (uint32_t(1) << traits.exponentBits) - 1, mantissaMask = (uint32_t(1) << traits.mantissaBits) - 1;
  const uint32_t sign = std::signbit(value) ? uint32_t(1) << (traits.exponentBits + traits.mantissaBits) : 0;
  const uint32_t infinity = exponentMask << traits.mantissaBits;
  const uint32_t notANumber = infinity | mantissaMask;
  const uint32_t largest = traits.hasInfinity ? infinity - 1 : notANumber - 1;
  if (std::isnan(value))
    return notANumber; // the canonical one has no sign
  if (std::isinf(value))
    return sign | (saturates ? largest : traits.hasInfinity ? infinity : notANumber);
  int exponent = value == 0 ? 1 - traits.bias : std::max(std::ilogb(value), 1 - traits.bias);
  // The number in units of its last place, an integer below 2^(mantissaBits + 1) after rounding.
  double units = roundToInteger(std::ldexp(value, traits.mantissaBits - exponent), rounding);
  uint64_t magnitude = uint64_t(std::abs(units));
  // Subnormal numbers have exponent field 0 without a leading one; carries go over by themselves.
  uint64_t bits = magnitude + (uint64_t(exponent + traits.bias - 1) << traits.mantissaBits);
  if (bits > largest) {
    bool towardsZero = rounding == Rounding::zero || (rounding == Rounding::down && !sign) || (rounding == Rounding::up && sign);
    return sign | (saturates || towardsZero ? largest : traits.hasInfinity ? infinity : notANumber);
  }
  return sign | uint32_t(bits);
}

static float expand(const FormatTraits &traits, uint32_t bits) {
  uint32_t exponentMask = (1u << traits.exponentBits) - 1, mantissaMask = (1u << traits.mantissaBits) - 1;
  uint32_t exponent = bits >> traits.mantissaBits & exponentMask, mantissa = bits & mantissaMask;
  bool negative = bits >> (traits.exponentBits + traits.mantissaBits) & 1;
  float value;
  if (traits.hasInfinity ? exponent == exponentMask : exponent == exponentMask && mantissa == mantissaMask)
    value = traits.hasInfinity && !mantissa ? HUGE_VALF : std::nanf("");
  else if (exponent)
    value = std::ldexp(float(mantissa | 1u << traits.mantissaBits), int(exponent) - traits.bias - traits.mantissaBits);
  else
    value = std::ldexp(float(mantissa), 1 - traits.bias - traits.mantissaBits);
  return negative ? -value : value;
}

static std::array<float, 256> tabulate(const FormatTraits &traits) {
  std::array<float, 256> table;
  for (uint32_t bits = 0; bits < 256; ++bits)
    table[bits] = expand(traits, bits);
  return table;
}

float moec::runtime::emulator::e4m3ToFloat(uint8_t bits) {
  static const std::array<float, 256> table = tabulate(e4m3Traits);
  return table[bits];
}

float moec::runtime::emulator::e5m2ToFloat(uint8_t bits) {
  static const std::array<float, 256> table = tabulate(e5m2Traits);
  return table[bits];
}
