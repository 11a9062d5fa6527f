// Floating-point functions of one operand: signs, roots, exponentials, trigonometry.
#include "runtime/devices/emulator/Arithmetic.h"
#include "runtime/devices/emulator/FloatOperations.h"
#include "runtime/devices/emulator/Lanes.h"

using namespace moec::runtime::emulator;

namespace {
float exponential2(float x) { return std::exp2(x); }
float logarithm2(float x) { return std::log2(x); }
float sine(float x) { return std::sin(x); }
float cosine(float x) { return std::cos(x); }
float hyperbolicTangent(float x) { return std::tanh(x); }
template <class T> T squareRoot(T x) { return std::sqrt(x); }
template <class T> T reciprocal(T x) { return T(1) / x; }
float reciprocalRoot(float x) { return float(1 / std::sqrt(double(x))); }
double reciprocalRootDouble(double x) { return 1 / std::sqrt(x); }

template <float (*function)(float), bool flushes> float flushed(float x) { return flushIf<flushes>(function(flushIf<flushes>(x))); }
template <class Format, float (*function)(float)> uint16_t narrowed(uint16_t x) {
  return Format::narrow(function(Format::expand(x)));
}
template <uint16_t (*function)(uint16_t)> uint32_t paired(uint32_t x) {
  return uint32_t(function(uint16_t(x))) | uint32_t(function(uint16_t(x >> 16))) << 16;
}

template <float (*function)(float)> Execute instanceOf(Type type, bool flushes) {
  switch (type) {
  case Type::f32:
    return flushes ? lanewise<&flushed<function, true>> : lanewise<&flushed<function, false>>;
  case Type::f16:
    return lanewise<&narrowed<Half, function>>;
  case Type::bf16:
    return lanewise<&narrowed<Bfloat, function>>;
  case Type::f16x2:
    return lanewise<&paired<&narrowed<Half, function>>>;
  case Type::bf16x2:
    return lanewise<&paired<&narrowed<Bfloat, function>>>;
  default:
    return nullptr;
  }
}

/// The hardware's approximations may differ from these values in the last places.
template <float (*function)(float)> void decodeFunction(Decoder &d) {
  d.take("approx");
  bool flushes = d.take("ftz");
  Type type = d.takeType();
  d.expectOperands(2, 2);
  d.result(0, type);
  d.source(1, type);
  d.executeWith(instanceOf<function>(type, flushes));
}

/// sqrt, rcp, rsqrt: of double precision too, and rounded to the nearest on demand.
template <float (*function)(float), double (*functionOfDouble)(double)> void decodeRoot(Decoder &d) {
  if (d.peekType() != Type::f64) {
    d.take("rn");
    return decodeFunction<function>(d);
  }
  d.takeOne({"rn", "approx"}, 0);
  d.take("ftz");
  d.takeType();
  d.expectOperands(2, 2);
  d.result(0, Type::f64);
  d.source(1, Type::f64);
  d.executeWith(lanewise<functionOfDouble>);
}

template <class T> T signCleared(T bits) { return bits & T(T(-1) >> 1); }
template <class T> T signFlipped(T bits) { return bits ^ T(T(1) << (8 * sizeof(T) - 1)); }
uint32_t pairCleared(uint32_t bits) { return bits & 0x7fff7fff; }
uint32_t pairFlipped(uint32_t bits) { return bits ^ 0x80008000; }
float flushedAbsolute(float x) { return std::abs(flush(x)); }
float flushedNegative(float x) { return -flush(x); }

void decodeSign(Decoder &d, void (*forIntegers)(Decoder &), bool negates) {
  if (!isFloat(d.peekType()))
    return forIntegers(d);
  bool flushes = d.take("ftz");
  Type type = d.takeType();
  d.expectOperands(2, 2);
  d.result(0, type);
  d.source(1, type);
  if (flushes)
    return d.executeWith(type != Type::f32 ? nullptr : negates ? lanewise<&flushedNegative> : lanewise<&flushedAbsolute>);
  switch (type) {
  case Type::f16:
  case Type::bf16:
    return d.executeWith(negates ? lanewise<&signFlipped<uint16_t>> : lanewise<&signCleared<uint16_t>>);
  case Type::f16x2:
  case Type::bf16x2:
    return d.executeWith(negates ? lanewise<&pairFlipped> : lanewise<&pairCleared>);
  case Type::f32:
    return d.executeWith(negates ? lanewise<&signFlipped<uint32_t>> : lanewise<&signCleared<uint32_t>>);
  case Type::f64:
    return d.executeWith(negates ? lanewise<&signFlipped<uint64_t>> : lanewise<&signCleared<uint64_t>>);
  default:
    return d.executeWith(nullptr);
  }
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::floatFunctionMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"abs", [](Decoder &d) { decodeSign(d, decodeIntegerAbsolute, false); }},
      {"neg", [](Decoder &d) { decodeSign(d, decodeIntegerNegate, true); }},
      {"sqrt", decodeRoot<squareRoot<float>, squareRoot<double>>},
      {"rcp", decodeRoot<reciprocal<float>, reciprocal<double>>},
      {"rsqrt", decodeRoot<reciprocalRoot, reciprocalRootDouble>},
      {"ex2", decodeFunction<exponential2>},
      {"lg2", decodeFunction<logarithm2>},
      {"sin", decodeFunction<sine>},
      {"cos", decodeFunction<cosine>},
      {"tanh", decodeFunction<hyperbolicTangent>},
  };
  return mnemonics;
}
