// Floating-point operations on the values of one thread, for float, double, and the formats of 16 bits alone or in pairs.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_FLOATOPERATIONS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_FLOATOPERATIONS_H

#include "runtime/devices/emulator/Formats.h"

#include <cmath>
#include <cstring>

namespace moec::runtime::emulator {

/// A sum whose last bit says whether it is inexact, so that rounding it once more is as good as rounding once.
inline double sumToOdd(double a, double b) {
  double sum = a + b;
  double part = sum - a;
  double lost = (a - (sum - part)) + (b - part);
  uint64_t bits = std::bit_cast<uint64_t>(sum);
  if (lost == 0 || !std::isfinite(sum) || (bits & 1))
    return sum;
  return std::bit_cast<double>(bits + ((lost > 0) == (sum > 0) ? 1 : -1));
}

struct AddFloats {
  template <class T> static T apply(T a, T b) { return a + b; }
  static double toOdd(double a, double b) { return sumToOdd(a, b); }
};
struct SubtractFloats {
  template <class T> static T apply(T a, T b) { return a - b; }
  static double toOdd(double a, double b) { return sumToOdd(a, -b); }
};
struct MultiplyFloats {
  template <class T> static T apply(T a, T b) { return a * b; }
  static double toOdd(double a, double b) { return a * b; } // exact for floats
};
struct DivideFloats {
  template <class T> static T apply(T a, T b) { return a / b; }
  static double toOdd(double a, double b) {
    double quotient = a / b, rest = std::fma(-quotient, b, a);
    uint64_t bits = std::bit_cast<uint64_t>(quotient);
    if (rest == 0 || !std::isfinite(quotient) || (bits & 1))
      return quotient;
    bool larger = (rest > 0) == (b > 0); // the exact quotient lies above
    return std::bit_cast<double>(bits + (larger == (quotient > 0) ? 1 : -1));
  }
};
/// Where one operand is no number the other is the result; -0 is less than +0.
struct MinimumFloats {
  template <class T> static T apply(T a, T b) {
    T least = a < b ? a : b < a ? b : std::signbit(a) ? a : b;
    return a != a ? b : b != b ? a : least;
  }
};
struct MaximumFloats {
  template <class T> static T apply(T a, T b) {
    T most = a > b ? a : b > a ? b : std::signbit(a) ? b : a;
    return a != a ? b : b != b ? a : most;
  }
};
template <class T> T canonicalNan();
template <> inline float canonicalNan() { return std::bit_cast<float>(0x7fffffff); }
template <> inline double canonicalNan() { return std::bit_cast<double>(~uint64_t(0) >> 1); }
/// Likewise, but what is no number wins.
struct MinimumOrNan {
  template <class T> static T apply(T a, T b) { return a != a || b != b ? canonicalNan<T>() : MinimumFloats::apply(a, b); }
};
struct MaximumOrNan {
  template <class T> static T apply(T a, T b) { return a != a || b != b ? canonicalNan<T>() : MaximumFloats::apply(a, b); }
};
struct FuseFloats {
  template <class T> static T apply(T a, T b, T c) { return std::fma(a, b, c); }
  static double toOdd(double a, double b, double c) { return sumToOdd(a * b, c); } // the product of floats is exact
};

template <bool yes> float flushIf(float value) { return yes ? flush(value) : value; }
/// Into [0, 1]; what is no number becomes 0.
template <bool yes> float saturateIf(float value) { return !yes ? value : value > 0 ? (value < 1 ? value : 1.0f) : 0.0f; }

template <class Operation, bool flushes, bool saturates> float binaryFloat(float a, float b) {
  return saturateIf<saturates>(flushIf<flushes>(Operation::apply(flushIf<flushes>(a), flushIf<flushes>(b))));
}
template <class Operation, bool flushes, bool saturates> float ternaryFloat(float a, float b, float c) {
  return saturateIf<saturates>(flushIf<flushes>(Operation::apply(flushIf<flushes>(a), flushIf<flushes>(b), flushIf<flushes>(c))));
}
template <class Operation> double binaryDouble(double a, double b) { return Operation::apply(a, b); }
template <class Operation> double ternaryDouble(double a, double b, double c) { return Operation::apply(a, b, c); }

/// With a rounding other than to the nearest.
template <class Operation, Rounding rounding> float directedBinary(float a, float b) {
  return std::bit_cast<float>(roundTo(floatTraits, Operation::toOdd(a, b), rounding, false));
}
template <class Operation, Rounding rounding> float directedTernary(float a, float b, float c) {
  return std::bit_cast<float>(roundTo(floatTraits, Operation::toOdd(a, b, c), rounding, false));
}

struct Half {
  static float expand(uint16_t bits) { return halfToFloat(bits); }
  static uint16_t narrow(float value) { return floatToHalf(value); }
};
struct Bfloat {
  static float expand(uint16_t bits) { return bfloatToFloat(bits); }
  static uint16_t narrow(float value) { return floatToBfloat(value); }
};

// Sums, products and quotients in float are wide enough to be rounded again; fused products need the odd last bit.
template <class Format, class Operation> uint16_t binaryNarrow(uint16_t a, uint16_t b) {
  return Format::narrow(Operation::apply(Format::expand(a), Format::expand(b)));
}
template <class Format, bool clampsBelow> uint16_t fuseNarrow(uint16_t a, uint16_t b, uint16_t c) {
  double exact = FuseFloats::toOdd(Format::expand(a), Format::expand(b), Format::expand(c));
  float value = roundToOdd(exact);
  return Format::narrow(clampsBelow && !(value > 0) && value == value ? 0.0f : value);
}

template <auto function> uint32_t pairwise(uint32_t a, uint32_t b) {
  return uint32_t(function(uint16_t(a), uint16_t(b))) | uint32_t(function(uint16_t(a >> 16), uint16_t(b >> 16))) << 16;
}
template <auto function> uint32_t pairwiseTernary(uint32_t a, uint32_t b, uint32_t c) {
  return uint32_t(function(uint16_t(a), uint16_t(b), uint16_t(c))) |
         uint32_t(function(uint16_t(a >> 16), uint16_t(b >> 16), uint16_t(c >> 16))) << 16;
}

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_FLOATOPERATIONS_H
