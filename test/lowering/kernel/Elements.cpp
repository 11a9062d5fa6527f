// Elements of a type as kernels find them in memory.
#include "Elements.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/MathExtras.h"

#include <bit>
#include <cstring>

using namespace mlir;
using namespace moec;

size_t test::bytesOf(Type element) { return element.getIntOrFloatBitWidth() / 8; }

size_t test::bytesOf(Type element, size_t count) { return count * element.getIntOrFloatBitWidth() / 8; }

uint64_t test::bitsOf(Type element, double value) {
  float single = float(value); // most numbers are one: APFloat takes far longer
  if (element.isF32())
    return std::bit_cast<uint32_t>(single);
  if (uint32_t bits = std::bit_cast<uint32_t>(single); element.isBF16() && double(single) == value && !(bits & 0xffff))
    return bits >> 16;
  if (element.isInteger())
    return uint64_t(int64_t(value)) & llvm::maskTrailingOnes<uint64_t>(element.getIntOrFloatBitWidth());
  llvm::APFloat number(value);
  bool inexact;
  number.convert(cast<FloatType>(element).getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return number.bitcastToAPInt().getZExtValue();
}

double test::valueOf(Type element, uint64_t bits) {
  if (element.isF32() || element.isBF16())
    return std::bit_cast<float>(uint32_t(element.isF32() ? bits : bits << 16));
  if (element.isUnsignedInteger())
    return double(bits);
  if (element.isInteger())
    return double(llvm::SignExtend64(bits, element.getIntOrFloatBitWidth()));
  return llvm::APFloat(cast<FloatType>(element).getFloatSemantics(), llvm::APInt(element.getIntOrFloatBitWidth(), bits))
      .convertToDouble();
}

void test::write(char *place, Type element, double value) {
  uint64_t bits = bitsOf(element, value);
  std::memcpy(place, &bits, bytesOf(element));
}

void test::write(char *place, Type element, std::span<const double> values) {
  const size_t bytes = bytesOf(element);
  const bool isSingle = element.isF32(), isBfloat = element.isBF16(); // asked once: most elements are exactly so
  for (double value : values) {
    float single = float(value);
    uint32_t bits = std::bit_cast<uint32_t>(single);
    if (isSingle || (isBfloat && double(single) == value && !(bits & 0xffff)))
      std::memcpy(place, reinterpret_cast<char *>(&bits) + sizeof bits - bytes, bytes); // a bf16 is the upper half of an f32
    else
      write(place, element, value);
    place += bytes;
  }
}

double test::read(const char *place, Type element) {
  uint64_t bits = 0;
  std::memcpy(&bits, place, bytesOf(element));
  return valueOf(element, bits);
}
