// Floats become digits, and digits products.
#include "lowering/x86/FixedPoint.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <algorithm>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::x86;

/// Of floats in f32.
static constexpr int64_t mantissaBits = 23, exponentBias = 127, exponentOfInfinity = 255;

FixedPoint::FixedPoint(KernelBuilder &b, const WeightBlock &block) : b(b), block(block), vectors(block.size() / vectorBytes) {
  // A lane sums the products of so many elements, which have to stay below 2^31. Beyond 22 bits the highest digit would overflow.
  int64_t largest = block.size() / b.lanes * block.largestCode();
  elementBits = std::min<int64_t>(22, 30 - llvm::Log2_64_Ceil(largest + 1));
}

/// The sum of products of 64 bytes without sign and 64 with, four to a lane of `sum`.
static Number addProducts(KernelBuilder &b, Number sum, Number bytes, Number digits) {
  auto call =
      LLVM::CallIntrinsicOp::create(b, sum.type(), b.getStringAttr("llvm.x86.avx512.vpdpbusd.512"), ValueRange{sum, bytes, digits});
  return b.number(call.getResult(0));
}

/// On the way sums may wrap around: only what comes out when the offset is added has to fit.
Number FixedPoint::sumOfProducts(ArrayRef<Number> ofBlock, ArrayRef<Number> codes) const {
  Number sum = b.zero(b.lanes).bitsAs(b.i32);
  for (auto [i, digit] : llvm::enumerate(ofBlock)) {
    if (i && i % vectors == 0)
      sum = sum << digitBits;
    sum = addProducts(b, sum, codes[i % vectors], digit);
  }
  return sum;
}

KernelBuilder::Numbers FixedPoint::loadDigits(Pointer place) const {
  KernelBuilder::Numbers loaded;
  for (int64_t i = 0; i < digits * vectors; ++i)
    loaded.push_back((place + i * vectorBytes).load(vectorBytes));
  return loaded;
}

FixedPoint::Block FixedPoint::load(Pointer place) const {
  return {loadDigits(place), (place + digits * vectors * vectorBytes).as(b.i32).load(b.lanes)};
}

Number FixedPoint::multiply(const Block &activations, ArrayRef<Number> codes) const {
  return (sumOfProducts(activations.digits, codes) + activations.offset).toReal();
}

void FixedPoint::convertBlock(Pointer source, Pointer place, Number scale, function_ref<Number(Number)> prepared) const {
  Number splat = scale.splat(b.lanes);
  auto integers = [&](int64_t first) {
    // An integer in the low bits of the mantissa, rounded to even by the addition.
    Number shift = splat.like(1.5 * (1 << mantissaBits));
    return (prepared((source + first).loadF32(b.lanes)) * splat + shift).bitsAs(b.i32) - shift.bitsAs(b.i32);
  };
  auto store = [&](Number integer, Pointer first) {
    // Digits without sign that stand for those with one: each is too much by half of what a digit counts to.
    Number half = integer.like(int64_t(0x808080)), digits = integer + half;
    for (int64_t digit = 0; digit < FixedPoint::digits; ++digit) {
      Number bits = digits >> (FixedPoint::digits - 1 - digit) * digitBits;
      (first + digit * vectors * vectorBytes).store((bits ^ bits.like(int64_t(0x80))).toInteger(b.i8));
    }
  };
  for (int64_t i = 0; i < vectorBytes; i += b.lanes) {
    if (vectors == 1) {
      store(integers(i), place + i);
      continue;
    }
    // Codes come from bytes of two: even elements are in one vector, odd ones in the other.
    Number low = integers(2 * i), high = integers(2 * i + b.lanes);
    SmallVector<int64_t> even, odd;
    for (int64_t lane = 0; lane < b.lanes; ++lane) {
      even.push_back(2 * lane);
      odd.push_back(2 * lane + 1);
    }
    Number evens = low.shuffle(high, even), odds = low.shuffle(high, odd);
    if (block.codesOverlap()) {
      // With a byte of even + 16 odd beside one of 16 odd: byte x E + 16 odd x (O / 16 - E) = even x E + odd x O.
      Number bias = odds.like(int64_t(1) << 26); // larger than any element: a shift takes numbers without sign
      odds = ((odds + bias + 8) >> 4) - (bias >> 4) - evens;
    }
    store(evens, place + i);
    store(odds, place + vectorBytes + i);
  }
  auto zeroCodes = llvm::map_to_vector(block.codesOfZero(), [&](int64_t code) {
    return b.number(LLVM::ConstantOp::create(b, b.i8, b.getI8IntegerAttr(int8_t(code)))).splat(vectorBytes);
  });
  (place + digits * vectors * vectorBytes).as(b.i32).store(-sumOfProducts(loadDigits(place), zeroCodes));
}

void FixedPoint::convertRow(Pointer source, Pointer row, Number width, function_ref<Number(Number)> prepared) const {
  int64_t step = block.size();
  Number blocks = width / step, rest = width % step;
  Pointer tail = b.pointer(LLVM::AllocaOp::create(b, b.ptr, b.f32, b.integer(step).value, vectorBytes), b.f32);
  b.forRange(b.integer(0), b.integer(step), b.lanes, [&](Number k) { (tail + k).store(b.zero(b.lanes)); });
  b.forRange(rest, [&](Number k) { (tail + k).store((source + blocks * step + k).loadF32()); });

  // Magnitudes of floats are ordered as their bits are, NaN beyond infinity.
  auto largestOf = [&](Pointer elements, Number count, Number largest) {
    return b.forRange(b.integer(0), count, b.lanes, {largest}, [&](Number k, ArrayRef<Number> before) {
      Number bits = prepared((elements + k).loadF32(b.lanes)).bitsAs(b.i32);
      return KernelBuilder::Numbers{maximum(before[0], bits & bits.like(int64_t(0x7fffffff)))};
    })[0];
  };
  Number none = b.zero(b.lanes).bitsAs(b.i32);
  Number largest = b.maximumOfLanes(largestOf(tail, b.integer(step), largestOf(source, blocks * step, none)));

  // Scale and inverse are powers of two that f32 has, for elements however small. Of what is not finite no integer comes: NaN.
  Number exponent = largest >> mantissaBits, bounded = maximum(exponent, exponent.like(elementBits));
  Number scale = ((-bounded + (2 * exponentBias + elementBits - 1)) << mantissaBits).bitsAs(b.f32);
  Number inverse = (bounded - (elementBits - 1)) << mantissaBits;
  row.as(b.i32).store(select(exponent == exponentOfInfinity, inverse.like(int64_t(0x7fc00000)), inverse));

  Pointer first = row + headerBytes;
  b.forRange(blocks, [&](Number k) { convertBlock(source + k * step, first + k * blockBytes(), scale, prepared); });
  b.ifThen(rest > b.integer(0), [&] { convertBlock(tail, first + blocks * blockBytes(), scale, prepared); });
}
