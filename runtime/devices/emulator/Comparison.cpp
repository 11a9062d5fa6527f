// Comparisons, and choices by them.
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/FloatOperations.h"
#include "runtime/devices/emulator/Lanes.h"

#include <cmath>

using namespace moec::runtime::emulator;

namespace {
/// Negated ones (`unordered`) hold where a number is missing; the ordered ones do not.
struct Equal {
  template <class T> static bool apply(T a, T b) { return a == b; }
};
struct NotEqual {
  template <class T> static bool apply(T a, T b) { return a < b || a > b; }
};
struct Less {
  template <class T> static bool apply(T a, T b) { return a < b; }
};
struct LessOrEqual {
  template <class T> static bool apply(T a, T b) { return a <= b; }
};
struct Greater {
  template <class T> static bool apply(T a, T b) { return a > b; }
};
struct GreaterOrEqual {
  template <class T> static bool apply(T a, T b) { return a >= b; }
};
struct Ordered {
  template <class T> static bool apply(T a, T b) { return a == a && b == b; }
};
struct Never {
  template <class T> static bool apply(T, T) { return false; }
};
template <class Ordinary> struct OrUnordered {
  template <class T> static bool apply(T a, T b) { return Ordinary::apply(a, b) || !Ordered::apply(a, b); }
};

template <class Format, class Condition> bool narrowCondition(uint16_t a, uint16_t b) {
  return Condition::apply(Format::expand(a), Format::expand(b));
}
template <class Condition, class T> bool condition(T a, T b) { return Condition::apply(a, b); }
template <class Condition> bool flushedCondition(float a, float b) { return Condition::apply(flush(a), flush(b)); }

// What `mode` holds: how the comparison is combined with a further predicate.
enum : uint8_t { alone, combineAnd, combineOr, combineXor, combineMask = 3, combineNegated = 4 };

LaneMask combined(LaneMask holds, LaneMask other, uint8_t mode) {
  other = mode & combineNegated ? ~other : other;
  switch (mode & combineMask) {
  case combineAnd:
    return holds & other;
  case combineOr:
    return holds | other;
  case combineXor:
    return holds ^ other;
  default:
    return holds;
  }
}

template <auto compare, class T> void setPredicate(Warp &warp, const Instruction &i) {
  LaneMask holds = lanesWhere<compare>(warp.source<T>(i, 0), warp.source<T>(i, 1));
  LaneMask other = i.mode & combineMask ? warp.predicate(i, 2) : 0;
  if (i.results == 2) // first, since the other may be overwritten
    warp.writePredicate(i, 1, combined(~holds, other, i.mode));
  warp.writePredicate(i, 0, combined(holds, other, i.mode));
}

/// Of pairs: a predicate for each half.
template <auto compare> void setPredicatePair(Warp &warp, const Instruction &i) {
  const uint32_t *a = warp.source<uint32_t>(i, 0), *b = warp.source<uint32_t>(i, 1);
  LaneMask low = 0, high = 0, other = i.mode & combineMask ? warp.predicate(i, 2) : 0;
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    low |= LaneMask(compare(uint16_t(a[lane]), uint16_t(b[lane]))) << lane;
    high |= LaneMask(compare(uint16_t(a[lane] >> 16), uint16_t(b[lane] >> 16))) << lane;
  }
  if (i.results == 2)
    warp.writePredicate(i, 1, combined(high, other, i.mode));
  warp.writePredicate(i, 0, combined(low, other, i.mode));
}

/// set: all ones or 1.0 where the comparison holds. `registerBytes` says how large the result is, `type` which.
template <auto compare, class T> void setValue(Warp &warp, const Instruction &i) {
  LaneMask holds = lanesWhere<compare>(warp.source<T>(i, 0), warp.source<T>(i, 1));
  holds = combined(holds, i.mode & combineMask ? warp.predicate(i, 2) : 0, i.mode);
  uint32_t value = i.type == Type::f32    ? std::bit_cast<uint32_t>(1.0f)
                   : i.type == Type::f16  ? floatToHalf(1)
                   : i.type == Type::bf16 ? floatToBfloat(1)
                                          : ~0u;
  if (i.registerBytes == 4) {
    uint32_t values[laneCount];
    for (unsigned lane = 0; lane < laneCount; ++lane)
      values[lane] = holds >> lane & 1 ? value : 0;
    warp.write(i, 0, values);
  } else {
    uint16_t values[laneCount];
    for (unsigned lane = 0; lane < laneCount; ++lane)
      values[lane] = holds >> lane & 1 ? uint16_t(value) : 0;
    warp.write(i, 0, values);
  }
}

template <bool predicate, auto compare, class T>
constexpr Execute comparisonExecute = predicate ? &setPredicate<compare, T> : &setValue<compare, T>;

template <bool predicate, class Condition> Execute comparisonOf(Type type, bool flushes) {
  switch (type) {
  case Type::b16:
  case Type::u16:
    return comparisonExecute<predicate, &condition<Condition, uint16_t>, uint16_t>;
  case Type::b32:
  case Type::u32:
    return comparisonExecute<predicate, &condition<Condition, uint32_t>, uint32_t>;
  case Type::b64:
  case Type::u64:
    return comparisonExecute<predicate, &condition<Condition, uint64_t>, uint64_t>;
  case Type::s16:
    return comparisonExecute<predicate, &condition<Condition, int16_t>, int16_t>;
  case Type::s32:
    return comparisonExecute<predicate, &condition<Condition, int32_t>, int32_t>;
  case Type::s64:
    return comparisonExecute<predicate, &condition<Condition, int64_t>, int64_t>;
  case Type::f32:
    return flushes ? comparisonExecute<predicate, &flushedCondition<Condition>, float>
                   : comparisonExecute<predicate, &condition<Condition, float>, float>;
  case Type::f64:
    return comparisonExecute<predicate, &condition<Condition, double>, double>;
  case Type::f16:
    return comparisonExecute<predicate, &narrowCondition<Half, Condition>, uint16_t>;
  case Type::bf16:
    return comparisonExecute<predicate, &narrowCondition<Bfloat, Condition>, uint16_t>;
  case Type::f16x2:
    return predicate ? &setPredicatePair<&narrowCondition<Half, Condition>> : nullptr;
  case Type::bf16x2:
    return predicate ? &setPredicatePair<&narrowCondition<Bfloat, Condition>> : nullptr;
  default:
    return nullptr;
  }
}

template <bool predicate> void decodeComparison(Decoder &d) {
  using Instance = Execute (*)(Type, bool);
  constexpr Instance ordered[] = {&comparisonOf<predicate, Equal>,   &comparisonOf<predicate, NotEqual>,
                                  &comparisonOf<predicate, Less>,    &comparisonOf<predicate, LessOrEqual>,
                                  &comparisonOf<predicate, Greater>, &comparisonOf<predicate, GreaterOrEqual>};
  constexpr Instance unordered[] = {&comparisonOf<predicate, OrUnordered<Equal>>,
                                    &comparisonOf<predicate, OrUnordered<NotEqual>>,
                                    &comparisonOf<predicate, OrUnordered<Less>>,
                                    &comparisonOf<predicate, OrUnordered<LessOrEqual>>,
                                    &comparisonOf<predicate, OrUnordered<Greater>>,
                                    &comparisonOf<predicate, OrUnordered<GreaterOrEqual>>,
                                    &comparisonOf<predicate, Ordered>,
                                    &comparisonOf<predicate, OrUnordered<Never>>};
  Instance instance;
  if (unsigned which = d.takeOne({"equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"}, 8); which < 8) {
    instance = unordered[which];
  } else {
    constexpr unsigned synonyms[] = {0, 1, 2, 3, 4, 5, 2, 3, 4, 5}; // lo, ls, hi, hs: of unsigned numbers
    instance = ordered[synonyms[d.takeOne({"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"})]];
  }
  d.instruction.mode = uint8_t(d.takeOne({"", "and", "or", "xor"}, 0));
  bool flushes = d.take("ftz");
  Type resultType = predicate ? Type::pred : d.takeType();
  if (!predicate && bytesOf(resultType) != 2 && bytesOf(resultType) != 4)
    d.fail("expected a result of 16 or 32 bits");
  Type type = d.takeType();
  size_t operands = d.instruction.mode ? 4 : 3;
  d.expectOperands(operands, operands);
  if (predicate && !d.syntax(0).second.empty()) {
    SyntaxOperand first = d.syntax(0), second = first;
    second.name = first.second;
    d.result(first, Type::pred);
    d.result(second, Type::pred);
  } else {
    d.result(0, resultType);
  }
  d.instruction.type = resultType;
  d.instruction.registerBytes = uint8_t(bytesOf(resultType));
  d.source(1, type);
  d.source(2, type);
  if (d.instruction.mode) {
    d.source(3, Type::pred);
    if (d.syntax(3).negated)
      d.instruction.mode |= combineNegated;
  }
  d.executeWith(instance(type, flushes));
}

template <class T> void select(Warp &warp, const Instruction &i) {
  const T *a = warp.source<T>(i, 0), *b = warp.source<T>(i, 1);
  LaneMask chooses = warp.predicate(i, 2);
  T values[laneCount];
  for (unsigned lane = 0; lane < laneCount; ++lane)
    values[lane] = chooses >> lane & 1 ? a[lane] : b[lane];
  warp.write(i, 0, values);
  warp.setWritten(i, 0, warp.writtenLanes(i, 2) & ((chooses & warp.writtenLanes(i, 0)) | (~chooses & warp.writtenLanes(i, 1))));
}

void decodeSelect(Decoder &d) {
  Type type = d.takeType();
  d.expectOperands(4, 4);
  d.result(0, type);
  d.source(1, type);
  d.source(2, type);
  d.source(3, Type::pred);
  d.instruction.ownShadow = true;
  unsigned bytes = bytesOf(type);
  d.executeWith(bytes == 2 ? &select<uint16_t> : bytes == 4 ? &select<uint32_t> : bytes == 8 ? &select<uint64_t> : nullptr);
}

template <class T, class C> T chooseBySign(T a, T b, C c) { return c >= 0 ? a : b; }
template <class T> Execute chooseOf(Type type) {
  return type == Type::s32 ? lanewise<&chooseBySign<T, int32_t>> : type == Type::f32 ? lanewise<&chooseBySign<T, float>> : nullptr;
}
/// slct: the first where the third is not negative.
void decodeChoose(Decoder &d) {
  d.take("ftz");
  Type type = d.takeType(), by = d.takeType();
  d.expectOperands(4, 4);
  d.result(0, type);
  d.source(1, type);
  d.source(2, type);
  d.source(3, by);
  unsigned bytes = bytesOf(type);
  d.executeWith(bytes == 2   ? chooseOf<uint16_t>(by)
                : bytes == 4 ? chooseOf<uint32_t>(by)
                : bytes == 8 ? chooseOf<uint64_t>(by)
                             : nullptr);
}

struct IsFinite {
  template <class T> static bool apply(T a) { return std::isfinite(a); }
};
struct IsInfinite {
  template <class T> static bool apply(T a) { return std::isinf(a); }
};
struct IsNumber {
  template <class T> static bool apply(T a) { return !std::isnan(a); }
};
struct IsNotANumber {
  template <class T> static bool apply(T a) { return std::isnan(a); }
};
struct IsNormal {
  template <class T> static bool apply(T a) { return std::isnormal(a); }
};
struct IsSubnormal {
  template <class T> static bool apply(T a) { return std::fpclassify(a) == FP_SUBNORMAL; }
};
template <class Condition, class T> bool test(T a) { return Condition::apply(a); }
template <class Condition, class T> void testValue(Warp &warp, const Instruction &i) {
  warp.writePredicate(i, 0, lanesWhere<&test<Condition, T>>(warp.source<T>(i, 0)));
}
template <class Condition> Execute testOf(Type type) {
  return type == Type::f32 ? &testValue<Condition, float> : type == Type::f64 ? &testValue<Condition, double> : nullptr;
}
void decodeTest(Decoder &d) {
  constexpr Execute (*tests[])(Type) = {&testOf<IsFinite>,     &testOf<IsInfinite>, &testOf<IsNumber>,
                                        &testOf<IsNotANumber>, &testOf<IsNormal>,   &testOf<IsSubnormal>};
  unsigned which = d.takeOne({"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
  Type type = d.takeType();
  d.expectOperands(2, 2);
  d.resultPredicate(0);
  d.source(1, type);
  d.executeWith(tests[which](type));
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::comparisonMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"setp", decodeComparison<true>},
      {"set", decodeComparison<false>},
      {"selp", decodeSelect},
      {"slct", decodeChoose},
      {"testp", decodeTest},
  };
  return mnemonics;
}
