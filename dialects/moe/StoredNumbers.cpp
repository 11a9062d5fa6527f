// Short numbers are looked up, long ones converted.
#include "dialects/moe/StoredNumbers.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <map>
#include <mutex>
#include <tuple>

using namespace moec::moe;

/// Reads the `index`-th element of type T.
template <typename T> static T elementAt(const char *bytes, size_t index) {
  return llvm::support::endian::read<T, llvm::endianness::little>(bytes + index * sizeof(T));
}

/// What a pattern of bits of `type` stands for.
static double valueOf(mlir::Type type, uint64_t pattern) {
  unsigned bits = type.getIntOrFloatBitWidth();
  if (auto floats = mlir::dyn_cast<mlir::FloatType>(type))
    return llvm::APFloat(floats.getFloatSemantics(), llvm::APInt(bits, pattern)).convertToDouble();
  return type.isUnsignedInteger() ? double(pattern) : double(llvm::SignExtend64(pattern, bits));
}

/// What every pattern of bits stands for, worked out when a type is first asked for.
static const std::vector<double> &valuesOf(mlir::Type type) {
  static std::mutex mutex;
  static std::map<std::tuple<const llvm::fltSemantics *, unsigned, bool>, std::vector<double>> known;
  auto floats = mlir::dyn_cast<mlir::FloatType>(type);
  unsigned bits = type.getIntOrFloatBitWidth();
  std::lock_guard lock(mutex);
  std::vector<double> &values = known[{floats ? &floats.getFloatSemantics() : nullptr, bits, type.isUnsignedInteger()}];
  for (uint64_t pattern = values.size(); pattern < uint64_t(1) << bits; ++pattern)
    values.push_back(valueOf(type, pattern));
  return values;
}

std::optional<StoredNumbers> StoredNumbers::of(mlir::Type type) {
  if (!type.isIntOrFloat())
    return std::nullopt;
  unsigned bits = type.getIntOrFloatBitWidth();
  bool isLookedUp = bits == 4 || bits == 8 || (bits == 16 && mlir::isa<mlir::FloatType>(type));
  bool isLong =
      type.isF32() || type.isF64() || (type.isInteger() && !type.isUnsignedInteger() && (bits == 16 || bits == 32 || bits == 64));
  if (!isLookedUp && !isLong)
    return std::nullopt;
  StoredNumbers numbers(type);
  if (isLookedUp)
    numbers.values = &valuesOf(type);
  return numbers;
}

void StoredNumbers::read(const char *bytes, std::span<double> numbers) const {
  auto each = [&](auto numberAt) {
    for (size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = numberAt(i);
  };
  switch (type.getIntOrFloatBitWidth()) {
  case 4:
    return each([&](size_t i) { return (*values)[uint8_t(bytes[i / 2]) >> i % 2 * 4 & 15]; });
  case 8:
    return each([&](size_t i) { return (*values)[uint8_t(bytes[i])]; });
  case 16:
    if (values)
      return each([&](size_t i) { return (*values)[elementAt<uint16_t>(bytes, i)]; });
    return each([&](size_t i) { return double(elementAt<int16_t>(bytes, i)); });
  case 32:
    if (type.isF32())
      return each([&](size_t i) { return double(llvm::bit_cast<float>(elementAt<uint32_t>(bytes, i))); });
    return each([&](size_t i) { return double(elementAt<int32_t>(bytes, i)); });
  case 64:
    if (type.isF64())
      return each([&](size_t i) { return llvm::bit_cast<double>(elementAt<uint64_t>(bytes, i)); });
    return each([&](size_t i) { return double(elementAt<int64_t>(bytes, i)); });
  }
}
