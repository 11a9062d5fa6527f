// Logic, shifts and bit fields.
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Lanes.h"

#include <algorithm>
#include <bit>

using namespace moec::runtime::emulator;

namespace {
template <class T> struct And {
  static T apply(T a, T b) { return a & b; }
};
template <class T> struct Or {
  static T apply(T a, T b) { return a | b; }
};
template <class T> struct ExclusiveOr {
  static T apply(T a, T b) { return a ^ b; }
};
template <class T> struct Not {
  static T apply(T a) { return T(~a); }
};
template <class T> struct LogicalNot {
  static T apply(T a) { return a == 0; }
};

/// Predicates are masks, so one operation serves all lanes.
template <template <class> class Operation> void executeOnPredicates(Warp &warp, const Instruction &i) {
  if constexpr (requires { Operation<LaneMask>::apply(0, 0); })
    warp.writePredicate(i, 0, Operation<LaneMask>::apply(warp.predicate(i, 0), warp.predicate(i, 1)));
  else
    warp.writePredicate(i, 0, Operation<LaneMask>::apply(warp.predicate(i, 0)));
}

template <template <class> class Operation, size_t sources> void decodeLogic(Decoder &d) {
  Type type = d.takeType();
  d.expectOperands(1 + sources, 1 + sources);
  d.result(0, type);
  for (size_t k = 0; k < sources; ++k)
    d.source(1 + k, type);
  if (type != Type::pred && type != Type::b16 && type != Type::b32 && type != Type::b64)
    d.fail("expected .pred, .b16, .b32 or .b64");
  d.executeWith(type == Type::pred ? &executeOnPredicates<Operation> : forUnsigned<Operation>(bytesOf(type)));
}

// Amounts beyond the width shift everything out.
template <class T> T shiftLeft(T a, uint32_t amount) { return amount >= 8 * sizeof(T) ? T(0) : T(a << amount); }
template <class T> T shiftRight(T a, uint32_t amount) { return T(a >> std::min<uint32_t>(amount, 8 * sizeof(T) - 1)); }
template <class T> T shiftRightLogical(T a, uint32_t amount) { return amount >= 8 * sizeof(T) ? T(0) : T(a >> amount); }

void decodeShift(Decoder &d) {
  bool left = d.mnemonic() == "shl";
  Type type = d.takeType();
  d.expectOperands(3, 3);
  d.result(0, type);
  d.source(1, type);
  d.source(2, Type::b32);
  if (isFloat(type))
    return d.executeWith(nullptr);
  bool keepsSign = !left && isSigned(type);
  switch (bytesOf(type)) {
  case 2:
    return d.executeWith(left        ? lanewise<&shiftLeft<uint16_t>>
                         : keepsSign ? lanewise<&shiftRight<int16_t>>
                                     : lanewise<&shiftRightLogical<uint16_t>>);
  case 4:
    return d.executeWith(left        ? lanewise<&shiftLeft<uint32_t>>
                         : keepsSign ? lanewise<&shiftRight<int32_t>>
                                     : lanewise<&shiftRightLogical<uint32_t>>);
  case 8:
    return d.executeWith(left        ? lanewise<&shiftLeft<uint64_t>>
                         : keepsSign ? lanewise<&shiftRight<int64_t>>
                                     : lanewise<&shiftRightLogical<uint64_t>>);
  default:
    return d.executeWith(nullptr);
  }
}

/// The upper half of [b, a] shifted left, or the lower half of it shifted right.
template <bool left, bool wraps> uint32_t funnelShift(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t amount = wraps ? c & 31 : std::min(c, 32u);
  uint64_t both = uint64_t(b) << 32 | a;
  return left ? uint32_t((both << amount) >> 32) : uint32_t(both >> amount);
}

void decodeFunnelShift(Decoder &d) {
  bool left = d.takeOne({"r", "l"}), wraps = d.takeOne({"clamp", "wrap"});
  Type type = d.takeType();
  if (type != Type::b32)
    d.fail("expected .b32");
  d.expectOperands(4, 4);
  d.result(0, type);
  for (size_t k = 1; k < 4; ++k)
    d.source(k, type);
  d.executeWith(left ? (wraps ? lanewise<&funnelShift<true, true>> : lanewise<&funnelShift<true, false>>)
                     : (wraps ? lanewise<&funnelShift<false, true>> : lanewise<&funnelShift<false, false>>));
}

/// Bits [position, position + length) of a; those above are the sign of the last that exists.
template <class T> T extractField(T a, uint32_t position, uint32_t length) {
  using U = std::make_unsigned_t<T>;
  constexpr uint32_t width = 8 * sizeof(T);
  position &= 0xff;
  length &= 0xff;
  if (!length)
    return 0;
  bool sign = std::is_signed_v<T> && (U(a) >> std::min(position + length - 1, width - 1) & 1);
  U field = position >= width ? U(0) : U(U(a) >> position);
  uint32_t present = position >= width ? 0 : std::min(length, width - position);
  U mask = present >= width ? U(-1) : U((U(1) << present) - 1);
  return T((field & mask) | (sign ? U(~mask) : U(0)));
}
template <class T> T insertField(T a, T b, uint32_t position, uint32_t length) {
  constexpr uint32_t width = 8 * sizeof(T);
  position &= 0xff;
  length &= 0xff;
  if (position >= width || !length)
    return b;
  T mask = length >= width ? T(-1) : T((T(1) << length) - 1);
  return T((b & ~T(mask << position)) | T((a & mask) << position));
}
/// The position of the highest bit that differs from the sign; all ones where there is none.
template <class T, bool asShift> uint32_t findHighest(T a) {
  using U = std::make_unsigned_t<T>;
  U bits = a < 0 ? U(~U(a)) : U(a);
  if (!bits)
    return ~uint32_t(0);
  uint32_t leading = uint32_t(std::countl_zero(bits));
  return asShift ? leading : 8 * sizeof(T) - 1 - leading;
}
template <class T> uint32_t countLeading(T a) { return uint32_t(std::countl_zero(a)); }
template <class T> uint32_t countOnes(T a) { return uint32_t(std::popcount(a)); }
template <class T> T reverse(T a) {
  T result = 0;
  for (unsigned bit = 0; bit < 8 * sizeof(T); ++bit)
    result |= T(a >> bit & 1) << (8 * sizeof(T) - 1 - bit);
  return result;
}

template <class T> Execute findHighestOf(bool asShift) {
  return asShift ? lanewise<&findHighest<T, true>> : lanewise<&findHighest<T, false>>;
}

void decodeBitField(Decoder &d) {
  bool extracts = d.mnemonic() == "bfe";
  Type type = d.takeType();
  if (isFloat(type) || bytesOf(type) < 4)
    return d.executeWith(nullptr);
  bool wide = bytesOf(type) == 8;
  d.expectOperands(extracts ? 4 : 5, extracts ? 4 : 5);
  d.result(0, type);
  size_t k = 1;
  d.source(k++, type);
  if (!extracts)
    d.source(k++, type);
  d.source(k++, Type::b32);
  d.source(k++, Type::b32);
  if (!extracts)
    d.executeWith(wide ? lanewise<&insertField<uint64_t>> : lanewise<&insertField<uint32_t>>);
  else if (isSigned(type))
    d.executeWith(wide ? lanewise<&extractField<int64_t>> : lanewise<&extractField<int32_t>>);
  else
    d.executeWith(wide ? lanewise<&extractField<uint64_t>> : lanewise<&extractField<uint32_t>>);
}

/// bfind, clz, popc give 32 bits whatever they look at; brev as many as it takes.
void decodeBitCount(Decoder &d) {
  std::string_view name = d.mnemonic();
  bool asShift = name == "bfind" && d.take("shiftamt");
  Type type = d.takeType();
  if (isFloat(type) || bytesOf(type) < 4)
    return d.executeWith(nullptr);
  bool wide = bytesOf(type) == 8;
  d.expectOperands(2, 2);
  d.result(0, name == "brev" ? type : Type::b32);
  d.source(1, type);
  if (name == "clz")
    d.executeWith(wide ? lanewise<&countLeading<uint64_t>> : lanewise<&countLeading<uint32_t>>);
  else if (name == "popc")
    d.executeWith(wide ? lanewise<&countOnes<uint64_t>> : lanewise<&countOnes<uint32_t>>);
  else if (name == "brev")
    d.executeWith(wide ? lanewise<&reverse<uint64_t>> : lanewise<&reverse<uint32_t>>);
  else if (isSigned(type))
    d.executeWith(wide ? findHighestOf<int64_t>(asShift) : findHighestOf<int32_t>(asShift));
  else
    d.executeWith(wide ? findHighestOf<uint64_t>(asShift) : findHighestOf<uint32_t>(asShift));
}

/// Any function of three bits: its table is `table`.
uint32_t lookUp3(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
  uint32_t result = 0;
  for (unsigned entry = 0; entry < 8; ++entry)
    if (table >> entry & 1)
      result |= (entry & 4 ? a : ~a) & (entry & 2 ? b : ~b) & (entry & 1 ? c : ~c);
  return result;
}

/// Four bytes chosen from the eight of [b, a]; bit 3 of a choice spreads the byte's sign.
uint32_t permute(uint32_t a, uint32_t b, uint32_t choices) {
  uint64_t both = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (unsigned byte = 0; byte < 4; ++byte) {
    uint32_t choice = choices >> 4 * byte & 15;
    uint32_t value = uint32_t(both >> 8 * (choice & 7)) & 0xff;
    if (choice & 8)
      value = value & 0x80 ? 0xff : 0;
    result |= value << 8 * byte;
  }
  return result;
}
/// The choices that a mode makes of the lowest two bits of c.
template <unsigned mode> uint32_t permuteIn(uint32_t a, uint32_t b, uint32_t c) {
  constexpr uint16_t choices[][4] = {{0x3210, 0x4321, 0x5432, 0x6543}, {0x5670, 0x6701, 0x7012, 0x0123},
                                     {0x0000, 0x1111, 0x2222, 0x3333}, {0x3210, 0x3211, 0x3222, 0x3333},
                                     {0x0000, 0x1110, 0x2210, 0x3210}, {0x1010, 0x3232, 0x1010, 0x3232}};
  return permute(a, b, choices[mode][c & 3]);
}

void decodePermute(Decoder &d) {
  unsigned mode = d.takeOne({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}, 6);
  if (d.takeType() != Type::b32)
    d.fail("expected .b32");
  d.expectOperands(4, 4);
  d.result(0, Type::b32);
  for (size_t k = 1; k < 4; ++k)
    d.source(k, Type::b32);
  constexpr Execute modes[] = {lanewise<&permuteIn<0>>, lanewise<&permuteIn<1>>, lanewise<&permuteIn<2>>, lanewise<&permuteIn<3>>,
                               lanewise<&permuteIn<4>>, lanewise<&permuteIn<5>>, lanewise<&permute>};
  d.executeWith(modes[mode]);
}

void decodeLookUp(Decoder &d) {
  if (d.takeType() != Type::b32)
    d.fail("expected .b32");
  d.expectOperands(5, 5);
  d.result(0, Type::b32);
  for (size_t k = 1; k < 5; ++k)
    d.source(k, Type::b32);
  d.immediate(4);
  d.executeWith(lanewise<&lookUp3>);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::bitMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"and", decodeLogic<And, 2>},
      {"or", decodeLogic<Or, 2>},
      {"xor", decodeLogic<ExclusiveOr, 2>},
      {"not", decodeLogic<Not, 1>},
      {"cnot", decodeLogic<LogicalNot, 1>},
      {"shl", decodeShift},
      {"shr", decodeShift},
      {"shf", decodeFunnelShift},
      {"bfe", decodeBitField},
      {"bfi", decodeBitField},
      {"bfind", decodeBitCount},
      {"clz", decodeBitCount},
      {"popc", decodeBitCount},
      {"brev", decodeBitCount},
      {"lop3", decodeLookUp},
      {"prmt", decodePermute},
  };
  return mnemonics;
}
