// Floating-point arithmetic of two and three operands, and the mnemonics shared with integers.
#include "runtime/devices/emulator/Arithmetic.h"
#include "runtime/devices/emulator/FloatOperations.h"
#include "runtime/devices/emulator/Lanes.h"

using namespace moec::runtime::emulator;

namespace {
struct Modifiers {
  Rounding rounding = Rounding::nearestEven;
  bool flushes = false, saturates = false;
};

Modifiers takeModifiers(Decoder &d) {
  constexpr Rounding roundings[] = {Rounding::nearestEven, Rounding::zero, Rounding::down, Rounding::up};
  Modifiers taken;
  taken.rounding = roundings[d.takeOne({"rn", "rz", "rm", "rp"}, 0)];
  taken.flushes = d.take("ftz");
  taken.saturates = d.take("sat");
  return taken;
}

template <class Operation> Execute binaryOf(Modifiers m) {
  if constexpr (requires { Operation::toOdd(0.0, 0.0); }) {
    if (m.rounding != Rounding::nearestEven && !m.flushes && !m.saturates)
      return m.rounding == Rounding::zero   ? lanewise<&directedBinary<Operation, Rounding::zero>>
             : m.rounding == Rounding::down ? lanewise<&directedBinary<Operation, Rounding::down>>
                                            : lanewise<&directedBinary<Operation, Rounding::up>>;
  }
  if (m.rounding != Rounding::nearestEven)
    return nullptr;
  if (m.flushes)
    return m.saturates ? lanewise<&binaryFloat<Operation, true, true>> : lanewise<&binaryFloat<Operation, true, false>>;
  return m.saturates ? lanewise<&binaryFloat<Operation, false, true>> : lanewise<&binaryFloat<Operation, false, false>>;
}

Execute fuseOf(Modifiers m) {
  if (m.rounding != Rounding::nearestEven) {
    if (m.flushes || m.saturates)
      return nullptr;
    return m.rounding == Rounding::zero   ? lanewise<&directedTernary<FuseFloats, Rounding::zero>>
           : m.rounding == Rounding::down ? lanewise<&directedTernary<FuseFloats, Rounding::down>>
                                          : lanewise<&directedTernary<FuseFloats, Rounding::up>>;
  }
  if (m.flushes)
    return m.saturates ? lanewise<&ternaryFloat<FuseFloats, true, true>> : lanewise<&ternaryFloat<FuseFloats, true, false>>;
  return m.saturates ? lanewise<&ternaryFloat<FuseFloats, false, true>> : lanewise<&ternaryFloat<FuseFloats, false, false>>;
}

/// The instance for a type; formats of 16 bits neither saturate nor round otherwise, and flushing is for half alone and rare.
template <class Operation> Execute instanceOf(Type type, Modifiers m) {
  bool plain = m.rounding == Rounding::nearestEven && !m.flushes && !m.saturates;
  switch (type) {
  case Type::f32:
    return binaryOf<Operation>(m);
  case Type::f64:
    return plain ? lanewise<&binaryDouble<Operation>> : nullptr;
  case Type::f16:
    return plain ? lanewise<&binaryNarrow<Half, Operation>> : nullptr;
  case Type::bf16:
    return plain ? lanewise<&binaryNarrow<Bfloat, Operation>> : nullptr;
  case Type::f16x2:
    return plain ? lanewise<&pairwise<&binaryNarrow<Half, Operation>>> : nullptr;
  case Type::bf16x2:
    return plain ? lanewise<&pairwise<&binaryNarrow<Bfloat, Operation>>> : nullptr;
  default:
    return nullptr;
  }
}

template <class Operation> void decodeBinary(Decoder &d) {
  Modifiers modifiers = takeModifiers(d);
  Type type = d.takeType();
  d.expectOperands(3, 3);
  d.result(0, type);
  d.source(1, type);
  d.source(2, type);
  d.executeWith(instanceOf<Operation>(type, modifiers));
}

template <bool clamps> Execute fuseNarrowOf(Type type) {
  return type == Type::f16      ? lanewise<&fuseNarrow<Half, clamps>>
         : type == Type::bf16   ? lanewise<&fuseNarrow<Bfloat, clamps>>
         : type == Type::f16x2  ? lanewise<&pairwiseTernary<&fuseNarrow<Half, clamps>>>
         : type == Type::bf16x2 ? lanewise<&pairwiseTernary<&fuseNarrow<Bfloat, clamps>>>
                                : nullptr;
}

void decodeFuse(Decoder &d) {
  Modifiers modifiers = takeModifiers(d);
  bool clampsBelow = d.take("relu");
  Type type = d.takeType();
  d.expectOperands(4, 4);
  d.result(0, type);
  for (size_t k = 1; k < 4; ++k)
    d.source(k, type);
  bool plain = modifiers.rounding == Rounding::nearestEven && !modifiers.flushes && !modifiers.saturates;
  if (type == Type::f32)
    d.executeWith(clampsBelow ? nullptr : fuseOf(modifiers));
  else if (type == Type::f64)
    d.executeWith(plain && !clampsBelow ? lanewise<&ternaryDouble<FuseFloats>> : nullptr);
  else
    d.executeWith(!plain ? nullptr : clampsBelow ? fuseNarrowOf<true>(type) : fuseNarrowOf<false>(type));
}

/// `approx` and `full` may differ in the last places on the hardware.
void decodeDivide(Decoder &d) {
  if (!isFloat(d.peekType()))
    return decodeIntegerDivide(d);
  d.take("approx");
  d.take("full");
  decodeBinary<DivideFloats>(d);
}

template <class Operation, class OrNan> void decodeExtremum(Decoder &d) {
  if (d.take("NaN"))
    decodeBinary<OrNan>(d);
  else
    decodeBinary<Operation>(d);
}

template <class T, T signBit> T withSign(T sign, T magnitude) { return (magnitude & ~signBit) | (sign & signBit); }
/// copysign a, b: the sign of a, the magnitude of b.
void decodeCopySign(Decoder &d) {
  Type type = d.takeType();
  d.expectOperands(3, 3);
  d.result(0, type);
  d.source(1, type);
  d.source(2, type);
  d.executeWith(type == Type::f32   ? lanewise<&withSign<uint32_t, uint32_t(0x80000000)>>
                : type == Type::f64 ? lanewise<&withSign<uint64_t, uint64_t(1) << 63>>
                                    : nullptr);
}

template <void (*forIntegers)(Decoder &), void (*forFloats)(Decoder &)> void decodeEither(Decoder &d) {
  if (isFloat(d.peekType()))
    forFloats(d);
  else
    forIntegers(d);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::floatMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"add", decodeEither<decodeIntegerAdd, decodeBinary<AddFloats>>},
      {"sub", decodeEither<decodeIntegerSubtract, decodeBinary<SubtractFloats>>},
      {"mul", decodeEither<decodeIntegerMultiply, decodeBinary<MultiplyFloats>>},
      {"mad", decodeEither<decodeIntegerMultiplyAdd, decodeFuse>},
      {"fma", decodeFuse},
      {"div", decodeDivide},
      {"min", decodeEither<decodeIntegerMinimum, decodeExtremum<MinimumFloats, MinimumOrNan>>},
      {"max", decodeEither<decodeIntegerMaximum, decodeExtremum<MaximumFloats, MaximumOrNan>>},
      {"copysign", decodeCopySign},
  };
  return mnemonics;
}
