// Scales are rounded to bf16 first, and numbers then to multiples of what a reader will find.
#include "dialects/moe/Rounding.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

using namespace moec::moe;

RoundingError &RoundingError::operator+=(const RoundingError &other) {
  difference += other.difference;
  all += other.all;
  isFinite &= other.isFinite;
  return *this;
}

/// To nearest, ties to even: what is beyond the fraction falls off where 1.5 x 2^23 is added. For numbers up to 2^22.
static float nearest(float number) { return (number + 12582912.f) - 12582912.f; }

/// The bits of the bf16 that is nearest to a finite number, and of the largest where that would be infinite.
static uint16_t toBF16(float number) {
  uint32_t bits = std::bit_cast<uint32_t>(number);
  bits += 0x7fff + (bits >> 16 & 1);
  bool overflows = (bits & 0x7f800000) == 0x7f800000;
  return uint16_t((bits >> 16) - overflows);
}

static float fromBF16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

/// The largest magnitude's number, with its sign; NaN or infinite if any is.
static float extreme(std::span<const float> numbers) {
  float extreme = 0;
  bool isFinite = true;
  for (float number : numbers) {
    isFinite &= std::isfinite(number);
    if (std::abs(number) > std::abs(extreme))
      extreme = number;
  }
  return isFinite ? extreme : std::nanf("");
}

/// Rounds to multiples of `scale` from `least` to `most` and says how far that is off.
static double round(std::span<const float> numbers, float scale, float least, float most, float *rounded) {
  float inverse = scale != 0 && std::isfinite(1 / scale) ? 1 / scale : 0;
  double error = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    rounded[i] = nearest(std::clamp(numbers[i] * inverse, least, most));
    double difference = double(numbers[i]) - double(rounded[i]) * double(scale);
    error += difference * difference;
  }
  return error;
}

static double squares(std::span<const float> numbers) {
  double sum = 0;
  for (float number : numbers)
    sum += double(number) * double(number);
  return sum;
}

RoundingError moec::moe::roundToInt8(std::span<const float> row, size_t columns, int8_t *numbers, uint16_t *scales) {
  RoundingError error;
  std::vector<float> rounded(columns);
  for (size_t first = 0; first < row.size(); first += columns) {
    std::span<const float> group = row.subspan(first, std::min(columns, row.size() - first));
    float largest = std::abs(extreme(group));
    if (!std::isfinite(largest)) {
      error.isFinite = false;
      return error;
    }
    uint16_t scale = toBF16(largest / 127);
    error.difference += round(group, fromBF16(scale), -127, 127, rounded.data());
    error.all += squares(group);
    *scales++ = scale;
    for (size_t i = 0; i < group.size(); ++i)
      *numbers++ = int8_t(rounded[i]);
  }
  return error;
}

RoundingError moec::moe::roundToInt4(std::span<const float> row, size_t columns, uint8_t *numbers, uint16_t *scales) {
  /// Which integer, if there were fractions, the extreme becomes. Beyond -8 it is clamped and all others are finer.
  constexpr float extremes[] = {-7, -7.5, -8, -8.5, -9, -9.5};
  RoundingError error;
  std::vector<float> rounded(columns), best(columns), all(row.size());
  for (size_t first = 0; first < row.size(); first += columns) {
    std::span<const float> group = row.subspan(first, std::min(columns, row.size() - first));
    float largest = extreme(group);
    if (!std::isfinite(largest)) {
      error.isFinite = false;
      return error;
    }
    double least = INFINITY;
    for (float place : extremes) {
      uint16_t scale = toBF16(largest / place);
      double difference = round(group, fromBF16(scale), -8, 7, rounded.data());
      if (difference < least) {
        least = difference;
        *scales = scale;
        best.swap(rounded);
      }
    }
    ++scales;
    error.difference += least;
    error.all += squares(group);
    std::copy_n(best.begin(), group.size(), all.begin() + int64_t(first));
  }
  for (size_t i = 0; i + 1 < row.size(); i += 2)
    *numbers++ = uint8_t(int(all[i]) + 8) | uint8_t(uint8_t(int(all[i + 1]) + 8) << 4);
  return error;
}

RoundingError moec::moe::roundRow(const Requantization &file, std::span<const float> row, char *numbers,
                                  std::span<uint16_t> scales) {
  if (file.isPlain()) {
    std::memcpy(numbers, row.data(), row.size() * sizeof(float));
    return {};
  }
  if (file.element.isInteger(8))
    return roundToInt8(row, size_t(file.columns), reinterpret_cast<int8_t *>(numbers), scales.data());
  return roundToInt4(row, size_t(file.columns), reinterpret_cast<uint8_t *>(numbers), scales.data());
}
