// Bits become numbers, by integer arithmetic and the conversion of halves.
#include "lowering/kernel/NumberFormat.h"

#include <algorithm>

using namespace mlir;
using namespace moec::lowering;

Type moec::lowering::inMemory(Type element) {
  return element.getIntOrFloatBitWidth() <= 8 ? IntegerType::get(element.getContext(), 8) : element;
}

Number moec::lowering::fromE4M3(Number bytes) {
  ImplicitLocOpBuilder &b = *bytes.builder;
  // Exponent and mantissa where a half has them: the half is the number divided by 2^8, denormals included.
  Number half = bytes.toInteger(b.getI16Type()) << 7;
  half = half & half.like(int64_t(0xbf80));
  // All ones are NaN, and nothing else carries into the top bit of the exponent: set, with the rest, it makes a half's NaN.
  half = half | ((half + half.like(int64_t(0x80))) & half.like(int64_t(0x4000)));
  return widen(half.bitsAs(b.getF16Type()));
}

/// Bytes that are powers of two, 2^(byte - 127); 255 is NaN.
static Number fromE8M0(Number bytes) {
  ImplicitLocOpBuilder &b = *bytes.builder;
  Number exponent = bytes.toUnsigned(b.getI32Type());
  Number bits = select(exponent == 0, exponent.like(int64_t(0x400000)), exponent << 23);
  return select(exponent == 255, exponent.like(int64_t(0x7fc00000)), bits).bitsAs(b.getF32Type());
}

/// The low four bits of integers as E2M1: the half that has its bits is the number divided by 2^14.
static Number fromE2M1(Number codes) {
  ImplicitLocOpBuilder &b = *codes.builder;
  Number word = codes.toUnsigned(b.getI16Type());
  Number half = ((word & word.like(int64_t(7))) << 9) | ((word & word.like(int64_t(8))) << 12);
  Number real = widen(half.bitsAs(b.getF16Type()));
  return real * real.like(16384.0);
}

Number moec::lowering::toReal(Number loaded, Type element) {
  if (isa<Float8E4M3FNType>(element)) {
    Number real = fromE4M3(loaded);
    return real * real.like(unitOfE4M3);
  }
  return isa<Float8E8M0FNUType>(element) ? fromE8M0(loaded) : widen(loaded);
}

Number moec::lowering::loadNumber(Pointer place, Type element, int64_t lanes) {
  return toReal(place.as(inMemory(element)).load(lanes), element);
}

/// Four-bit codes at `column` of a row, one to a byte.
static Number loadCodes(Pointer row, Number column, int64_t lanes, int64_t alignment) {
  Pointer place = row + column / 2;
  if (!lanes) {
    Number shift = (column % 2).toInteger(row.builder->getI8Type()) << 2;
    return (place.load() >> shift) & place.load().like(int64_t(15));
  }
  Number bytes = place.load(lanes / 2, alignment), low = bytes & bytes.like(int64_t(15)), high = bytes >> 4;
  SmallVector<int64_t> alternating;
  for (int64_t i = 0; i < lanes / 2; ++i)
    alternating.append({i, i + lanes / 2});
  return low.shuffle(high, alternating);
}

Number moec::lowering::zeroPoints(Number zeros, int64_t zeroPoint, Type element) {
  int64_t mask = (int64_t(1) << element.getIntOrFloatBitWidth()) - 1;
  Number shifted = zeros.toUnsigned(zeros.builder->getI32Type()) + zeroPoint;
  return (shifted & shifted.like(mask)).toReal();
}

Number moec::lowering::loadElements(const Storage &storage, const WeightRow &row, Number column, int64_t lanes, int64_t alignment) {
  Type element = storage.element;
  bool packed = element.getIntOrFloatBitWidth() < 8;
  Number loaded = packed ? loadCodes(row.elements, column, lanes, alignment)
                         : (row.elements + column).load(lanes, std::max(alignment, bytesOf(row.elements.element)));
  Number real;
  if (packed || element.isInteger()) {
    Type i32 = row.elements.builder->getI32Type();
    if (!element.isInteger()) {
      real = fromE2M1(loaded);
    } else {
      bool isUnsigned = element.isUnsignedInteger();
      if (packed && !isUnsigned) // the sign of four bits
        loaded = (loaded ^ loaded.like(int64_t(8))) - 8;
      Number integer = isUnsigned ? loaded.toUnsigned(i32) : loaded.toInteger(i32);
      if (storage.hasZeros) {
        Number zero = (row.zeros.as(inMemory(element)) + column / storage.scaleColumns).load();
        real = integer.toReal() - zeroPoints(zero, storage.zeroPoint, element).splat(lanes);
      } else {
        real = (integer - integer.like(storage.zeroPoint)).toReal();
      }
    }
  } else {
    real = toReal(loaded, element);
  }
  if (!storage.isQuantized)
    return real;
  Number factor = row.factor;
  if (storage.scale)
    factor = factor * loadNumber(row.scales + column / storage.scaleColumns, storage.scale);
  return real * factor.splat(lanes);
}
