// Moves, packing and unpacking of registers, and addresses between state spaces.
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Lanes.h"
#include "runtime/devices/emulator/Memory.h"
#include "runtime/devices/emulator/SpecialRegisters.h"

using namespace moec::runtime::emulator;

namespace {
template <class T> T same(T a) { return a; }

void movePredicate(Warp &warp, const Instruction &i) { warp.writePredicate(i, 0, warp.predicate(i, 0)); }

template <class T> void readClock(Warp &warp, const Instruction &i) {
  T values[laneCount];
  std::fill_n(values, laneCount, T(warp.executed));
  warp.write(i, 0, values);
}

/// Elements of `Part` side by side make a `Whole`.
template <class Whole, class Part> void pack(Warp &warp, const Instruction &i) {
  constexpr unsigned parts = sizeof(Whole) / sizeof(Part);
  Whole values[laneCount] = {};
  for (unsigned k = 0; k < parts; ++k) {
    const Part *part = warp.source<Part>(i, k);
    for (unsigned lane = 0; lane < laneCount; ++lane)
      values[lane] |= Whole(part[lane]) << 8 * sizeof(Part) * k;
  }
  warp.write(i, 0, values);
}
template <class Whole, class Part> void unpack(Warp &warp, const Instruction &i) {
  constexpr unsigned parts = sizeof(Whole) / sizeof(Part);
  Whole values[laneCount];
  std::memcpy(values, warp.source<Whole>(i, 0), sizeof values); // a result may be its source
  for (unsigned k = 0; k < parts; ++k) {
    Part part[laneCount];
    for (unsigned lane = 0; lane < laneCount; ++lane)
      part[lane] = Part(values[lane] >> 8 * sizeof(Part) * k);
    warp.write(i, k, part);
  }
}

Type partOf(Type type, size_t parts) {
  unsigned bytes = bytesOf(type) / unsigned(parts);
  return bytes == 4 ? Type::b32 : Type::b16;
}
bool divides(Type type, size_t parts) { return (parts == 2 && bytesOf(type) >= 4) || (parts == 4 && bytesOf(type) == 8); }

void decodeMove(Decoder &d) {
  Type type = d.takeType();
  d.expectOperands(2, 2);
  const SyntaxOperand &to = d.syntax(0), &from = d.syntax(1);
  unsigned bytes = bytesOf(type);
  if (to.kind == SyntaxOperand::Kind::vector) {
    if (!divides(type, to.elements.size()))
      return d.fail("expected as many registers as fill " + std::to_string(bytes) + " bytes");
    for (const SyntaxOperand &element : to.elements)
      d.result(element, partOf(type, to.elements.size()));
    d.source(1, type);
    d.executeWith(bytes == 4                ? &unpack<uint32_t, uint16_t>
                  : to.elements.size() == 2 ? &unpack<uint64_t, uint32_t>
                                            : &unpack<uint64_t, uint16_t>);
    return;
  }
  d.result(0, type);
  if (from.kind == SyntaxOperand::Kind::vector) {
    if (!divides(type, from.elements.size()))
      return d.fail("expected as many registers as fill " + std::to_string(bytes) + " bytes");
    for (const SyntaxOperand &element : from.elements)
      d.source(element, partOf(type, from.elements.size()));
    d.executeWith(bytes == 4                  ? &pack<uint32_t, uint16_t>
                  : from.elements.size() == 2 ? &pack<uint64_t, uint32_t>
                                              : &pack<uint64_t, uint16_t>);
    return;
  }
  if (from.kind == SyntaxOperand::Kind::name && !d.findRegister(from))
    if (auto special = specialRegisterNamed(from.name); special == SpecialRegister::clock || special == SpecialRegister::clock64)
      return d.executeWith(bytes != bytesOf(*special) ? nullptr : bytes == 8 ? &readClock<uint64_t> : &readClock<uint32_t>);
  d.source(1, type);
  d.executeWith(type == Type::pred ? &movePredicate
                : bytes == 2       ? lanewise<&same<uint16_t>>
                : bytes == 4       ? lanewise<&same<uint32_t>>
                : bytes == 8       ? lanewise<&same<uint64_t>>
                                   : nullptr);
}

template <uint64_t window> uint64_t toGeneric(uint64_t address) { return address | window << windowShift; }
uint64_t toWindow(uint64_t address) { return address & ((uint64_t(1) << windowShift) - 1); }

void decodeConvertAddress(Decoder &d) {
  bool fromGeneric = d.take("to");
  Space space = d.takeSpace(Space::generic);
  if (d.takeType() != Type::u64)
    d.fail("expected .u64");
  d.expectOperands(2, 2);
  d.result(0, Type::u64);
  d.source(1, Type::u64);
  if (space == Space::generic)
    d.fail("expected a state space");
  constexpr Execute towards[] = {lanewise<&same<uint64_t>>, lanewise<&toGeneric<1>>, lanewise<&toGeneric<2>>,
                                 lanewise<&toGeneric<3>>};
  d.executeWith(fromGeneric ? (windowOf(space) ? lanewise<&toWindow> : lanewise<&same<uint64_t>>) : towards[windowOf(space)]);
}

void isInSpace(Warp &warp, const Instruction &i) {
  const uint64_t *address = warp.source<uint64_t>(i, 0);
  LaneMask inside = 0;
  for (unsigned lane = 0; lane < laneCount; ++lane)
    inside |= LaneMask(address[lane] >> windowShift == windowOf(i.space)) << lane;
  warp.writePredicate(i, 0, inside);
}
void decodeIsInSpace(Decoder &d) {
  d.instruction.space = d.takeSpace(Space::generic);
  if (d.instruction.space == Space::generic)
    d.fail("expected a state space");
  d.expectOperands(2, 2);
  d.resultPredicate(0);
  d.source(1, Type::u64);
  d.executeWith(&isInSpace);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::moveMnemonics() {
  static constexpr Mnemonic mnemonics[] = {{"mov", decodeMove}, {"cvta", decodeConvertAddress}, {"isspacep", decodeIsInSpace}};
  return mnemonics;
}
