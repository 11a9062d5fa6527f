// Rows rounded to integers with scales: which integers, how far off, and what has none.
#include "dialects/moe/Rounding.h"

#include "gtest/gtest.h"

#include <bit>
#include <cmath>
#include <vector>

using namespace moec::moe;

namespace {

float numberOf(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

/// A row of made-up numbers that lie around 0, the last group of which is short.
std::vector<float> row(size_t size) {
  std::vector<float> numbers;
  for (size_t i = 0; i < size; ++i)
    numbers.push_back(std::sin(float(i * i)) * 0.03f);
  return numbers;
}

/// The error that `rounded` numbers have.
double squares(const std::vector<float> &numbers, const std::vector<float> &rounded) {
  double sum = 0;
  for (size_t i = 0; i < numbers.size(); ++i)
    sum += (double(numbers[i]) - double(rounded[i])) * (double(numbers[i]) - double(rounded[i]));
  return sum;
}

/// The largest of a group becomes 127, every other number the nearest multiple of the scale; what is said of the error is true.
TEST(Rounding, Int8) {
  std::vector<float> numbers = row(100);
  std::vector<int8_t> integers(numbers.size());
  std::vector<uint16_t> scales(4);
  RoundingError error = roundToInt8(numbers, 32, integers.data(), scales.data());
  std::vector<float> rounded;
  for (size_t i = 0; i < numbers.size(); ++i) {
    float scale = numberOf(scales[i / 32]);
    rounded.push_back(float(integers[i]) * scale);
    EXPECT_LE(std::abs(numbers[i] - rounded[i]), 0.5f * scale * (std::abs(integers[i]) == 127 ? 1.1f : 1.0001f)) << i;
  }
  EXPECT_NEAR(error.difference, squares(numbers, rounded), 1e-6 * error.difference);
  EXPECT_GT(error.difference, 0);
  EXPECT_LT(error.difference, 1e-4 * error.all);
}

/// Two to a byte, the first in its low half, each plus 8; better than scales that map the largest to -8 alone.
TEST(Rounding, Int4) {
  std::vector<float> numbers = row(96);
  std::vector<uint8_t> bytes(numbers.size() / 2);
  std::vector<uint16_t> scales(3);
  RoundingError error = roundToInt4(numbers, 32, bytes.data(), scales.data());
  std::vector<float> rounded, simple;
  for (size_t i = 0; i < numbers.size(); ++i) {
    rounded.push_back(float((bytes[i / 2] >> i % 2 * 4 & 15) - 8) * numberOf(scales[i / 32]));
    float extreme = 0;
    for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j)
      extreme = std::abs(numbers[j]) > std::abs(extreme) ? numbers[j] : extreme;
    simple.push_back(std::min(std::max(std::nearbyint(numbers[i] / (extreme / -8)), -8.f), 7.f) * (extreme / -8));
  }
  EXPECT_NEAR(error.difference, squares(numbers, rounded), 1e-6 * error.difference);
  EXPECT_LT(error.difference, squares(numbers, simple));
}

/// Zeros stay zeros, and numbers that are too small for a scale become zeros.
TEST(Rounding, ZerosAndTinyNumbers) {
  for (float number : {0.f, 1e-44f}) {
    std::vector<float> numbers(32, number);
    std::vector<int8_t> integers(32, 5);
    uint16_t scale = 1;
    EXPECT_TRUE(roundToInt8(numbers, 32, integers.data(), &scale).isFinite);
    for (int8_t integer : integers)
      EXPECT_EQ(float(integer) * numberOf(scale), 0.f);
  }
}

TEST(Rounding, LargestNumbersStayFinite) {
  std::vector<float> numbers(32, 3.4e38f);
  std::vector<int8_t> integers(32);
  uint16_t scale;
  EXPECT_TRUE(roundToInt8(numbers, 32, integers.data(), &scale).isFinite);
  EXPECT_TRUE(std::isfinite(numberOf(scale) * 127));
}

TEST(Rounding, SaysThatNumbersAreNotFinite) {
  for (float number : {float(NAN), float(INFINITY), float(-INFINITY)}) {
    std::vector<float> numbers = row(64);
    numbers[40] = number;
    std::vector<int8_t> integers(64);
    std::vector<uint8_t> bytes(32);
    std::vector<uint16_t> scales(2);
    EXPECT_FALSE(roundToInt8(numbers, 32, integers.data(), scales.data()).isFinite) << number;
    EXPECT_FALSE(roundToInt4(numbers, 32, bytes.data(), scales.data()).isFinite) << number;
  }
}

} // namespace
