// Integer arithmetic.
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Lanes.h"

#include <limits>
#include <type_traits>

using namespace moec::runtime::emulator;

namespace {
template <class T> using Unsigned = std::make_unsigned_t<T>;

template <class T> struct Wider;
template <> struct Wider<int16_t> {
  using Of = int32_t;
};
template <> struct Wider<uint16_t> {
  using Of = uint32_t;
};
template <> struct Wider<int32_t> {
  using Of = int64_t;
};
template <> struct Wider<uint32_t> {
  using Of = uint64_t;
};
template <> struct Wider<int64_t> {
  using Of = __int128;
};
template <> struct Wider<uint64_t> {
  using Of = unsigned __int128;
};

// Results wrap; the arithmetic is done without sign so that it is defined.
template <class T> T product(T a, T b) { return T(uint64_t(a) * uint64_t(b)); }
template <class T> struct Add {
  static T apply(T a, T b) { return T(Unsigned<T>(a) + Unsigned<T>(b)); }
};
template <class T> struct Subtract {
  static T apply(T a, T b) { return T(Unsigned<T>(a) - Unsigned<T>(b)); }
};
template <class T> struct MultiplyLow {
  static T apply(T a, T b) { return product(a, b); }
};
template <class T> struct MultiplyHigh {
  static T apply(T a, T b) {
    using W = typename Wider<T>::Of;
    return T((W(a) * W(b)) >> (8 * sizeof(T)));
  }
};
template <class T> struct MultiplyAddLow {
  static T apply(T a, T b, T c) { return Add<T>::apply(product(a, b), c); }
};
template <class T> struct MultiplyAddHigh {
  static T apply(T a, T b, T c) { return Add<T>::apply(MultiplyHigh<T>::apply(a, b), c); }
};
template <class T> typename Wider<T>::Of multiplyWide(T a, T b) { return typename Wider<T>::Of(a) * typename Wider<T>::Of(b); }
template <class T> typename Wider<T>::Of multiplyAddWide(T a, T b, typename Wider<T>::Of c) {
  return Add<typename Wider<T>::Of>::apply(multiplyWide(a, b), c);
}
/// A division by zero has no defined result on the hardware either; it gives what the hardware gives, all ones.
template <class T> struct Divide {
  static T apply(T a, T b) {
    if (!b)
      return T(-1);
    if (std::is_signed_v<T> && b == T(-1))
      return T(Unsigned<T>(0) - Unsigned<T>(a));
    return T(a / b);
  }
};
template <class T> struct Remainder {
  static T apply(T a, T b) {
    if (!b)
      return a;
    if (std::is_signed_v<T> && b == T(-1))
      return 0;
    return T(a % b);
  }
};
template <class T> struct Minimum {
  static T apply(T a, T b) { return a < b ? a : b; }
};
template <class T> struct Maximum {
  static T apply(T a, T b) { return a > b ? a : b; }
};
template <class T> struct Absolute {
  static T apply(T a) { return a < 0 ? T(Unsigned<T>(0) - Unsigned<T>(a)) : a; }
};
template <class T> struct Negate {
  static T apply(T a) { return T(Unsigned<T>(0) - Unsigned<T>(a)); }
};
/// c + |a - b|
template <class T> struct SumOfDifference {
  static T apply(T a, T b, T c) { return Add<T>::apply(c, a < b ? Subtract<T>::apply(b, a) : Subtract<T>::apply(a, b)); }
};

int32_t saturate(int64_t value) {
  return int32_t(
      std::min<int64_t>(std::max<int64_t>(value, std::numeric_limits<int32_t>::min()), std::numeric_limits<int32_t>::max()));
}
int32_t addSaturated(int32_t a, int32_t b) { return saturate(int64_t(a) + b); }
int32_t subtractSaturated(int32_t a, int32_t b) { return saturate(int64_t(a) - b); }

template <class T, bool high> T multiply24(T a, T b) {
  constexpr unsigned unused = 8;
  int64_t wide = int64_t(T(uint32_t(a) << unused) >> unused) * int64_t(T(uint32_t(b) << unused) >> unused);
  return T(high ? wide >> 16 : wide);
}
template <class T, bool high> T multiplyAdd24(T a, T b, T c) { return Add<T>::apply(multiply24<T, high>(a, b), c); }

/// Dot product of 4 bytes, or of 2 halves with the lower or upper 2 bytes.
template <class A, class B> uint32_t dot4(uint32_t a, uint32_t b, uint32_t c) {
  for (unsigned k = 0; k < 4; ++k)
    c += uint32_t(int32_t(A(a >> 8 * k)) * int32_t(B(b >> 8 * k)));
  return c;
}
template <class A, class B, bool high> uint32_t dot2(uint32_t a, uint32_t b, uint32_t c) {
  for (unsigned k = 0; k < 2; ++k)
    c += uint32_t(int32_t(A(a >> 16 * k)) * int32_t(B(b >> (8 * k + (high ? 16 : 0)))));
  return c;
}

void binary(Decoder &d, Type type, Execute execute) {
  d.expectOperands(2 + (d.operands() == 4), 3);
  d.result(0, type);
  d.source(1, type);
  d.source(2, type);
  d.executeWith(execute);
}
void unary(Decoder &d, Type type, Execute execute) {
  d.expectOperands(2, 2);
  d.result(0, type);
  d.source(1, type);
  d.executeWith(execute);
}
void ternary(Decoder &d, Type type, Execute execute) {
  d.expectOperands(4, 4);
  d.result(0, type);
  for (size_t k = 1; k < 4; ++k)
    d.source(k, type);
  d.executeWith(execute);
}

template <template <class> class Operation> void decodeBinary(Decoder &d) {
  Type type = d.takeType();
  binary(d, type, forInteger<Operation>(type));
}
template <template <class> class Operation> void decodeUnary(Decoder &d) {
  Type type = d.takeType();
  unary(d, type, isSigned(type) ? forInteger<Operation>(type) : nullptr);
}

template <class T> Execute wide(bool adds) { return adds ? lanewise<&multiplyAddWide<T>> : lanewise<&multiplyWide<T>>; }

Type twiceAsWide(Type type) { return bytesOf(type) == 2 ? Type::b32 : Type::b64; }

void decodeMultiply(Decoder &d, bool adds) {
  unsigned part = d.takeOne({"lo", "hi", "wide"});
  Type type = d.takeType();
  if (part == 2) {
    d.expectOperands(adds ? 4 : 3, adds ? 4 : 3);
    d.result(0, twiceAsWide(type));
    d.source(1, type);
    d.source(2, type);
    if (adds)
      d.source(3, twiceAsWide(type));
    d.executeWith(type == Type::u16   ? wide<uint16_t>(adds)
                  : type == Type::s16 ? wide<int16_t>(adds)
                  : type == Type::u32 ? wide<uint32_t>(adds)
                  : type == Type::s32 ? wide<int32_t>(adds)
                                      : nullptr);
    return;
  }
  if (adds)
    ternary(d, type, part ? forInteger<MultiplyAddHigh>(type) : forInteger<MultiplyAddLow>(type));
  else
    binary(d, type, part ? forInteger<MultiplyHigh>(type) : forInteger<MultiplyLow>(type));
}

void decodeMultiply24(Decoder &d, bool adds) {
  bool high = d.takeOne({"lo", "hi"});
  Type type = d.takeType();
  bool isSigned = type == Type::s32;
  if (!isSigned && type != Type::u32)
    d.fail("expected .s32 or .u32");
  if (adds)
    ternary(d, type,
            high ? (isSigned ? lanewise<&multiplyAdd24<int32_t, true>> : lanewise<&multiplyAdd24<uint32_t, true>>)
                 : (isSigned ? lanewise<&multiplyAdd24<int32_t, false>> : lanewise<&multiplyAdd24<uint32_t, false>>));
  else
    binary(d, type,
           high ? (isSigned ? lanewise<&multiply24<int32_t, true>> : lanewise<&multiply24<uint32_t, true>>)
                : (isSigned ? lanewise<&multiply24<int32_t, false>> : lanewise<&multiply24<uint32_t, false>>));
}

template <template <class> class Operation, auto saturated> void decodeSum(Decoder &d) {
  bool saturates = d.take("sat");
  Type type = d.takeType();
  binary(d, type, !saturates ? forInteger<Operation>(type) : type == Type::s32 ? lanewise<saturated> : nullptr);
}

template <class A, class B> Execute dotOf(unsigned lengths) {
  return lengths == 4 ? lanewise<&dot4<A, B>> : lengths == 2 ? lanewise<&dot2<A, B, true>> : lanewise<&dot2<A, B, false>>;
}
void decodeDot(Decoder &d) {
  bool halves = d.mnemonic() == "dp2a";
  unsigned part = halves ? d.takeOne({"lo", "hi"}) : 0;
  Type a = d.takeType(), b = d.takeType();
  if (isFloat(a) || isFloat(b) || bytesOf(a) != 4 || bytesOf(b) != 4)
    d.fail("expected .s32 or .u32");
  unsigned lengths = halves ? 1 + part : 4;
  using A = int8_t;
  using B = uint8_t;
  if (halves)
    ternary(d, Type::b32,
            isSigned(a) ? (isSigned(b) ? dotOf<int16_t, A>(lengths) : dotOf<int16_t, B>(lengths))
                        : (isSigned(b) ? dotOf<uint16_t, A>(lengths) : dotOf<uint16_t, B>(lengths)));
  else
    ternary(d, Type::b32,
            isSigned(a) ? (isSigned(b) ? dotOf<A, A>(4) : dotOf<A, B>(4)) : (isSigned(b) ? dotOf<B, A>(4) : dotOf<B, B>(4)));
}

} // namespace

// The mnemonics that floating-point arithmetic shares are told apart in Arithmetic.cpp.
namespace moec::runtime::emulator {
void decodeIntegerAdd(Decoder &d) { decodeSum<Add, &addSaturated>(d); }
void decodeIntegerSubtract(Decoder &d) { decodeSum<Subtract, &subtractSaturated>(d); }
void decodeIntegerMultiply(Decoder &d) { decodeMultiply(d, false); }
void decodeIntegerMultiplyAdd(Decoder &d) { decodeMultiply(d, true); }
void decodeIntegerDivide(Decoder &d) { decodeBinary<Divide>(d); }
void decodeIntegerMinimum(Decoder &d) { decodeBinary<Minimum>(d); }
void decodeIntegerMaximum(Decoder &d) { decodeBinary<Maximum>(d); }
void decodeIntegerAbsolute(Decoder &d) { decodeUnary<Absolute>(d); }
void decodeIntegerNegate(Decoder &d) { decodeUnary<Negate>(d); }
} // namespace moec::runtime::emulator

std::span<const Mnemonic> moec::runtime::emulator::integerMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"rem", decodeBinary<Remainder>},
      {"sad",
       [](Decoder &d) {
         Type type = d.takeType();
         ternary(d, type, forInteger<SumOfDifference>(type));
       }},
      {"mul24", [](Decoder &d) { decodeMultiply24(d, false); }},
      {"mad24", [](Decoder &d) { decodeMultiply24(d, true); }},
      {"dp4a", decodeDot},
      {"dp2a", decodeDot},
  };
  return mnemonics;
}
