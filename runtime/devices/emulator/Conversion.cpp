// cvt: between integers and floating-point formats.
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Formats.h"
#include "runtime/devices/emulator/Lanes.h"

#include <limits>

using namespace moec::runtime::emulator;

namespace {
// What the fields of the instruction say: `type` the result's, `mode` rounding and flags.
enum : uint8_t { roundingMask = 7, toInteger = 8, saturates = 16, clampsBelow = 32, flushes = 64, staysFinite = 128 };

/// A value that is exact in all formats: integers of up to 64 bits, doubles.
struct Value {
  bool isFloat;
  double real;
  __int128 integer;
};

uint64_t readBits(const Warp &warp, const Instruction &i, unsigned k, unsigned bytes, unsigned lane) {
  switch (bytes) {
  case 2:
    return warp.source<uint16_t>(i, k)[lane];
  case 4:
    return warp.source<uint32_t>(i, k)[lane];
  default:
    return warp.source<uint64_t>(i, k)[lane];
  }
}

Value valueOf(Type type, uint64_t bits) {
  switch (type) {
  case Type::f16:
    return {true, halfToFloat(uint16_t(bits)), 0};
  case Type::bf16:
    return {true, bfloatToFloat(uint16_t(bits)), 0};
  case Type::f32:
    return {true, std::bit_cast<float>(uint32_t(bits)), 0};
  case Type::f64:
    return {true, std::bit_cast<double>(bits), 0};
  case Type::s8:
    return {false, 0, int8_t(bits)};
  case Type::s16:
    return {false, 0, int16_t(bits)};
  case Type::s32:
    return {false, 0, int32_t(bits)};
  case Type::s64:
    return {false, 0, int64_t(bits)};
  default: {
    unsigned width = 8 * bytesOf(type);
    return {false, 0, width == 64 ? bits : bits & ((uint64_t(1) << width) - 1)};
  }
  }
}

double roundToIntegral(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::zero:
    return std::trunc(value);
  case Rounding::down:
    return std::floor(value);
  case Rounding::up:
    return std::ceil(value);
  default:
    return std::nearbyint(value);
  }
}

/// What lies outside of the type becomes its nearest value, no number zero.
uint64_t integerFrom(double value, Type type, Rounding rounding) {
  if (std::isnan(value))
    return 0;
  value = roundToIntegral(value, rounding);
  unsigned width = 8 * bytesOf(type);
  double limit = std::ldexp(1.0, int(isSigned(type) ? width - 1 : width)), least = isSigned(type) ? -limit : 0;
  if (value >= limit)
    return isSigned(type) ? (uint64_t(1) << (width - 1)) - 1 : ~uint64_t(0) >> (64 - width);
  if (value <= least)
    return isSigned(type) ? uint64_t(int64_t(-limit)) : 0;
  return isSigned(type) ? uint64_t(int64_t(value)) : uint64_t(value);
}

uint64_t integerFrom(__int128 value, Type type, bool clamps) {
  unsigned width = 8 * bytesOf(type);
  if (clamps) {
    __int128 least = isSigned(type) ? -(__int128(1) << (width - 1)) : 0;
    __int128 most = (__int128(1) << (isSigned(type) ? width - 1 : width)) - 1;
    value = value < least ? least : value > most ? most : value;
  }
  // A narrow result fills its register with its sign.
  uint64_t bits = uint64_t(value);
  if (width < 64)
    bits = isSigned(type) ? uint64_t(int64_t(bits << (64 - width)) >> (64 - width)) : bits & ((uint64_t(1) << width) - 1);
  return bits;
}

/// An integer to odd, like a sum (FloatOperations.h), so that rounding it again is right.
double realFrom(__int128 value) {
  double nearest = double(value);
  __int128 lost = value - __int128(nearest);
  uint64_t bits = std::bit_cast<uint64_t>(nearest);
  return lost == 0 || (bits & 1) ? nearest : std::bit_cast<double>(bits + ((lost > 0) == (nearest > 0) ? 1 : -1));
}

uint64_t floatFrom(double value, Type type, Rounding rounding, const Instruction &i) {
  if (i.mode & toInteger)
    value = roundToIntegral(value, rounding);
  if (i.mode & clampsBelow && value < 0)
    value = 0;
  bool unitRange = i.mode & saturates && bytesOf(type) >= 2 && type != Type::tf32;
  if (unitRange)
    value = value > 0 ? std::min(value, 1.0) : 0.0;
  bool finite = i.mode & staysFinite;
  switch (type) {
  case Type::f16:
    return roundTo(halfTraits, value, rounding, finite);
  case Type::bf16:
    return roundTo(bfloatTraits, value, rounding, finite);
  case Type::f32: {
    uint32_t bits = roundTo(floatTraits, value, rounding, false);
    return i.mode & flushes && !(bits & 0x7f800000) ? bits & 0x80000000 : bits;
  }
  case Type::tf32:
    return roundTo(tf32Traits, value, rounding, finite) << 13;
  case Type::e4m3: // of 8 bits: always finite
    return roundTo(e4m3Traits, value, rounding, true);
  case Type::e5m2:
    return roundTo(e5m2Traits, value, rounding, true);
  default:
    return std::bit_cast<uint64_t>(value);
  }
}

/// Any conversion, one lane after the other. `bytes` and `registerBytes` are those of the source's and the result's registers;
/// the source's type is in `target`.
template <class R> void convert(Warp &warp, const Instruction &i) {
  Type from = Type(i.target);
  Rounding rounding = Rounding(i.mode & roundingMask);
  R results[laneCount];
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    Value value = valueOf(from, readBits(warp, i, 0, i.bytes, lane));
    if (value.isFloat && from == Type::f32 && i.mode & flushes)
      value.real = flush(float(value.real));
    uint64_t bits;
    if (isFloat(i.type))
      bits = i.type == Type::f64 && !value.isFloat
                 ? std::bit_cast<uint64_t>(double(value.integer))
                 : floatFrom(value.isFloat ? value.real : realFrom(value.integer), i.type, rounding, i);
    else
      bits = value.isFloat ? integerFrom(value.real, i.type, rounding) : integerFrom(value.integer, i.type, i.mode & saturates);
    results[lane] = R(bits);
  }
  warp.write(i, 0, results);
}

// The conversions that kernels are full of, for all lanes at once.
template <class R, class S> R resize(S a) { return R(a); }
float widenBfloat(uint16_t a) { return bfloatToFloat(a); }
float widenHalf(uint16_t a) { return halfToFloat(a); }
uint32_t narrowPair(float high, float low) { return uint32_t(floatToBfloat(high)) << 16 | floatToBfloat(low); }
uint32_t narrowHalfPair(float high, float low) { return uint32_t(floatToHalf(high)) << 16 | floatToHalf(low); }

Execute quickConversion(const Instruction &i, Type from) {
  Rounding rounding = Rounding(i.mode & roundingMask);
  if (i.mode & ~roundingMask)
    return nullptr;
  if (i.type == Type::f32 && from == Type::bf16)
    return lanewise<&widenBfloat>;
  if (i.type == Type::f32 && from == Type::f16)
    return lanewise<&widenHalf>;
  if (i.type == Type::bf16 && from == Type::f32 && rounding == Rounding::nearestEven)
    return lanewise<&floatToBfloat>;
  if (i.type == Type::f16 && from == Type::f32 && rounding == Rounding::nearestEven)
    return lanewise<&floatToHalf>;
  if (i.registerBytes == 8 && i.bytes == 4 && from == Type::u32 && bytesOf(i.type) == 8 && !isFloat(i.type))
    return lanewise<&resize<uint64_t, uint32_t>>;
  if (i.registerBytes == 8 && i.bytes == 4 && from == Type::s32 && bytesOf(i.type) == 8 && !isFloat(i.type))
    return lanewise<&resize<uint64_t, int32_t>>;
  if (i.registerBytes == 4 && i.bytes == 8 && bytesOf(from) == 8 && bytesOf(i.type) == 4 && !isFloat(i.type) && !isFloat(from))
    return lanewise<&resize<uint32_t, uint64_t>>;
  return nullptr;
}

/// Two floats to a pair: the first becomes the upper half.
template <class R> void convertToPair(Warp &warp, const Instruction &i) {
  const float *high = warp.source<float>(i, 0), *low = warp.source<float>(i, 1);
  Rounding rounding = Rounding(i.mode & roundingMask);
  constexpr unsigned half = 4 * sizeof(R);
  R results[laneCount];
  for (unsigned lane = 0; lane < laneCount; ++lane)
    results[lane] = R(floatFrom(high[lane], i.type, rounding, i) << half | floatFrom(low[lane], i.type, rounding, i));
  warp.write(i, 0, results);
}

/// A pair of e4m3 or e5m2 to a pair of halves.
template <float (*expand)(uint8_t), uint16_t (*narrow)(float), bool clamps> uint32_t convertFromPair(uint16_t pair) {
  float low = expand(uint8_t(pair)), high = expand(uint8_t(pair >> 8));
  if (clamps) {
    low = low < 0 ? 0 : low;
    high = high < 0 ? 0 : high;
  }
  return uint32_t(narrow(high)) << 16 | narrow(low);
}
/// A pair of halves to a pair of e4m3 or e5m2.
template <uint32_t (*narrow)(double)> uint16_t narrowPairOfHalves(uint32_t pair) {
  return uint16_t(narrow(halfToFloat(uint16_t(pair >> 16))) << 8 | narrow(halfToFloat(uint16_t(pair))));
}
uint32_t toE4m3(double value) { return roundTo(e4m3Traits, value, Rounding::nearestEven, true); }
uint32_t toE5m2(double value) { return roundTo(e5m2Traits, value, Rounding::nearestEven, true); }

void decodePairConversion(Decoder &d, Type to) {
  Instruction &i = d.instruction;
  Type from = d.takeType();
  if (from == Type::f32) {
    d.expectOperands(3, 3);
    d.result(0, to);
    d.source(1, Type::f32);
    d.source(2, Type::f32);
    i.type = to == Type::f16x2 ? Type::f16 : to == Type::bf16x2 ? Type::bf16 : to == Type::e4m3x2 ? Type::e4m3 : Type::e5m2;
    bool plain = i.mode == uint8_t(Rounding::nearestEven);
    d.executeWith(bytesOf(to) == 2              ? &convertToPair<uint16_t>
                  : plain && to == Type::bf16x2 ? lanewise<&narrowPair>
                  : plain && to == Type::f16x2  ? lanewise<&narrowHalfPair>
                                                : &convertToPair<uint32_t>);
    return;
  }
  d.expectOperands(2, 2);
  d.result(0, to);
  d.source(1, from);
  bool clamps = i.mode & clampsBelow;
  if (i.mode & staysFinite && to == Type::f16x2)
    d.fail("expected .satfinite of a smaller format");
  if (to == Type::f16x2 && from == Type::e4m3x2)
    d.executeWith(clamps ? lanewise<&convertFromPair<&e4m3ToFloat, &floatToHalf, true>>
                         : lanewise<&convertFromPair<&e4m3ToFloat, &floatToHalf, false>>);
  else if (to == Type::f16x2 && from == Type::e5m2x2)
    d.executeWith(clamps ? lanewise<&convertFromPair<&e5m2ToFloat, &floatToHalf, true>>
                         : lanewise<&convertFromPair<&e5m2ToFloat, &floatToHalf, false>>);
  else if (to == Type::e4m3x2 && from == Type::f16x2 && !clamps)
    d.executeWith(lanewise<&narrowPairOfHalves<&toE4m3>>);
  else if (to == Type::e5m2x2 && from == Type::f16x2 && !clamps)
    d.executeWith(lanewise<&narrowPairOfHalves<&toE5m2>>);
  else
    d.executeWith(nullptr);
}

/// Integers, and what holds one floating-point number in a register of its own.
bool isNumber(Type type) {
  switch (type) {
  case Type::u8:
  case Type::u16:
  case Type::u32:
  case Type::u64:
  case Type::s8:
  case Type::s16:
  case Type::s32:
  case Type::s64:
  case Type::f16:
  case Type::bf16:
  case Type::f32:
  case Type::tf32:
  case Type::f64:
    return true;
  default:
    return false;
  }
}

void decodeConversion(Decoder &d) {
  Instruction &i = d.instruction;
  constexpr Rounding roundings[] = {Rounding::nearestEven, Rounding::zero, Rounding::down, Rounding::up, Rounding::nearestAway};
  unsigned rounding = d.takeOne({"rn", "rz", "rm", "rp", "rna"}, 5);
  if (rounding == 5) {
    rounding = d.takeOne({"rni", "rzi", "rmi", "rpi"}, 4);
    if (rounding < 4)
      i.mode |= toInteger;
    else
      rounding = 0;
  }
  i.mode |= uint8_t(roundings[rounding]);
  if (d.take("satfinite")) // what is too large becomes the largest finite number
    i.mode |= staysFinite;
  if (d.take("relu"))
    i.mode |= clampsBelow;
  if (d.take("ftz"))
    i.mode |= flushes;
  if (d.take("sat"))
    i.mode |= saturates;
  Type to = d.takeType();
  if (to == Type::f16x2 || to == Type::bf16x2 || to == Type::e4m3x2 || to == Type::e5m2x2)
    return decodePairConversion(d, to);
  Type from = d.takeType();
  if (!isNumber(to) || !isNumber(from) || from == Type::tf32)
    d.fail("expected types of numbers");
  if (i.mode & staysFinite && (from != Type::f32 || (to != Type::f16 && to != Type::bf16 && to != Type::tf32)))
    d.fail("expected .satfinite from .f32 to a smaller format");
  d.expectOperands(2, 2);
  i.type = to;
  i.target = uint32_t(from);
  // Registers may be wider than the types.
  auto holder = [](unsigned bytes) { return bytes == 2 ? Type::b16 : bytes == 4 ? Type::b32 : Type::b64; };
  i.registerBytes = uint8_t(d.registerBytes(d.syntax(0), to));
  i.bytes = uint8_t(d.registerBytes(d.syntax(1), from));
  if (i.registerBytes < bytesOf(to) || i.bytes < bytesOf(from))
    d.fail("expected registers that hold the types");
  d.result(0, holder(i.registerBytes));
  d.source(1, d.isImmediate(1) ? from : holder(i.bytes));
  Execute quick = quickConversion(i, from);
  d.executeWith(quick                  ? quick
                : i.registerBytes == 2 ? &convert<uint16_t>
                : i.registerBytes == 4 ? &convert<uint32_t>
                                       : &convert<uint64_t>);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::conversionMnemonics() {
  static constexpr Mnemonic mnemonics[] = {{"cvt", decodeConversion}};
  return mnemonics;
}
