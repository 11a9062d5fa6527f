// Loads, stores and prefetches.
#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Launch.h"
#include "runtime/devices/emulator/Synchronization.h"

using namespace moec::runtime::emulator;

namespace {
/// One element of each lane from its bytes; what is narrower than the register is extended.
template <class M, class R> void unpackElement(Warp &warp, const Instruction &i, unsigned k, const Staging &values) {
  R element[laneCount];
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    M value;
    std::memcpy(&value, values[lane] + k * sizeof(M), sizeof(M));
    element[lane] = R(value);
  }
  warp.write(i, k, element);
}

template <class M, class R> void loadValues(Warp &warp, const Instruction &i) {
  Access access = accessOf(warp, i, 0, AccessKind::load);
  Staging values;
  std::unique_lock lock(warp.launch.strongOperations, std::defer_lock);
  if (i.strong)
    lock.lock();
  load(warp, access, values);
  for (unsigned k = 0; k < i.elements; ++k)
    unpackElement<M, R>(warp, i, k, values);
  if (i.strong) {
    observe(warp, access, i.acquires);
    warp.noteRead(digestOf(access, values));
  }
}

/// Parameters are the same for all lanes, and known at once.
template <class M, class R> void loadParameter(Warp &warp, const Instruction &i) {
  const std::byte *from = warp.launch.parameters.data() + i.offset;
  for (unsigned k = 0; k < i.elements; ++k) {
    M value;
    std::memcpy(&value, from + k * sizeof(M), sizeof(M));
    R element[laneCount];
    std::fill_n(element, laneCount, R(value));
    warp.write(i, k, element);
  }
}

template <class R, class M> void storeValues(Warp &warp, const Instruction &i) {
  Access access = accessOf(warp, i, 0, AccessKind::store);
  std::unique_lock lock(warp.launch.strongOperations, std::defer_lock);
  if (i.strong)
    lock.lock();
  Staging values;
  for (unsigned k = 0; k < i.elements; ++k) {
    const R *element = warp.source<R>(i, 1 + k);
    for (unsigned lane = 0; lane < laneCount; ++lane) {
      M value = M(element[lane]);
      std::memcpy(values[lane] + k * sizeof(M), &value, sizeof(M));
    }
  }
  store(warp, access, values, warp.known);
  if (i.strong)
    publish(warp, access, i.releases);
}

template <template <class, class> class Operation> Execute forTypes(Type type, unsigned registerBytes) {
  switch (bytesOf(type)) {
  case 1:
    if (isSigned(type))
      return registerBytes == 2   ? &Operation<int8_t, int16_t>::execute
             : registerBytes == 4 ? &Operation<int8_t, int32_t>::execute
                                  : &Operation<int8_t, int64_t>::execute;
    return registerBytes == 2   ? &Operation<uint8_t, uint16_t>::execute
           : registerBytes == 4 ? &Operation<uint8_t, uint32_t>::execute
                                : &Operation<uint8_t, uint64_t>::execute;
  case 2:
    if (isSigned(type) && !isFloat(type))
      return registerBytes == 2   ? &Operation<int16_t, int16_t>::execute
             : registerBytes == 4 ? &Operation<int16_t, int32_t>::execute
                                  : &Operation<int16_t, int64_t>::execute;
    return registerBytes == 2   ? &Operation<uint16_t, uint16_t>::execute
           : registerBytes == 4 ? &Operation<uint16_t, uint32_t>::execute
                                : &Operation<uint16_t, uint64_t>::execute;
  case 4:
    if (isSigned(type) && !isFloat(type) && registerBytes == 8)
      return &Operation<int32_t, int64_t>::execute;
    return registerBytes == 4   ? &Operation<uint32_t, uint32_t>::execute
           : registerBytes == 8 ? &Operation<uint32_t, uint64_t>::execute
                                : nullptr;
  case 8:
    return registerBytes == 8 ? &Operation<uint64_t, uint64_t>::execute : nullptr;
  default:
    return nullptr;
  }
}
template <class M, class R> struct Load {
  static void execute(Warp &warp, const Instruction &i) { loadValues<M, R>(warp, i); }
};
template <class M, class R> struct LoadParameter {
  static void execute(Warp &warp, const Instruction &i) { loadParameter<M, R>(warp, i); }
};
template <class M, class R> struct Store {
  static void execute(Warp &warp, const Instruction &i) { storeValues<R, M>(warp, i); }
};

Type holder(unsigned bytes) { return bytes == 2 ? Type::b16 : bytes == 4 ? Type::b32 : Type::b64; }

/// Elements of a vector operand, or the operand itself; all must lie in registers of one size.
std::vector<SyntaxOperand> elementsOf(Decoder &d, size_t k, unsigned count, Type type) {
  const SyntaxOperand &operand = d.syntax(k);
  std::vector<SyntaxOperand> elements = operand.kind == SyntaxOperand::Kind::vector ? operand.elements : std::vector{operand};
  if (elements.size() != count)
    d.fail("expected " + std::to_string(count) + " elements, got " + std::to_string(elements.size()));
  unsigned bytes = 0;
  for (const SyntaxOperand &element : elements)
    if (d.findRegister(element))
      bytes = std::max(bytes, d.registerBytes(element, type));
  if (!bytes)
    bytes = std::max(bytesOf(type), 2u);
  d.instruction.registerBytes = uint8_t(bytes);
  d.instruction.bytes = uint8_t(bytesOf(type));
  d.instruction.elements = uint8_t(count);
  if (bytes < bytesOf(type) || count * bytesOf(type) > stagingBytes)
    d.fail("expected registers that hold the type, and at most 32 bytes in all");
  return elements;
}

unsigned takeVector(Decoder &d) {
  constexpr unsigned counts[] = {2, 4, 8, 1};
  return counts[d.takeOne({"v2", "v4", "v8"}, 3)];
}

/// A cache policy behind the operands tells nothing about the result.
void decodeLoad(Decoder &d) {
  bool uniform = d.mnemonic() == "ldu";
  d.takeMemoryModifiers();
  if (uniform && d.instruction.space == Space::generic)
    d.instruction.space = Space::global;
  unsigned count = takeVector(d);
  Type type = d.takeType();
  d.expectOperands(2, 3);
  for (const SyntaxOperand &element : elementsOf(d, 0, count, type))
    d.result(element, holder(d.instruction.registerBytes));
  d.address(1);
  const Instruction &i = d.instruction;
  // A parameter that is named needs no address.
  const Symbol *symbol = d.symbols.find(d.syntax(1).name);
  if (i.space == Space::parameter && symbol && symbol->kind == Symbol::Kind::parameter) {
    d.instruction.offset += int64_t(symbol->address);
    if (i.offset < int64_t(symbol->address) || uint64_t(i.offset) + i.bytes * i.elements > symbol->address + symbol->bytes)
      return d.fail("the parameter has " + std::to_string(symbol->bytes) + " bytes");
    return d.executeWith(forTypes<LoadParameter>(type, i.registerBytes));
  }
  d.executeWith(forTypes<Load>(type, i.registerBytes));
}

void decodeStore(Decoder &d) {
  d.takeMemoryModifiers();
  unsigned count = takeVector(d);
  Type type = d.takeType();
  d.expectOperands(2, 3);
  d.address(0);
  for (const SyntaxOperand &element : elementsOf(d, 1, count, type))
    d.source(element, holder(d.instruction.registerBytes));
  if (d.instruction.space == Space::constant || d.instruction.space == Space::parameter)
    d.fail("expected memory that can be written");
  d.executeWith(forTypes<Store>(type, d.instruction.registerBytes));
}

void nothing(Warp &, const Instruction &) {}

/// What brings data nearer changes nothing else.
void decodePrefetch(Decoder &d) {
  d.takeSpace(Space::generic);
  d.takePrefixed("L");
  if (d.operands() >= 1)
    d.address(0);
  d.instruction.strict = 0;
  d.executeWith(&nothing);
}

/// createpolicy: a hint for caches, which is nobody's business here.
void writeNoPolicy(Warp &warp, const Instruction &i) {
  uint64_t values[laneCount] = {};
  warp.write(i, 0, values);
}
void decodePolicy(Decoder &d) {
  d.takeOne({"fractional", "range"});
  d.takeSpace(Space::generic);
  while (!d.takePrefixed("L2::").empty())
    ;
  d.takeType();
  d.expectOperands(1, 4);
  d.result(0, Type::b64);
  d.executeWith(&writeNoPolicy);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::loadStoreMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"ld", decodeLoad},
      {"ldu", decodeLoad},
      {"st", decodeStore},
      {"prefetch", decodePrefetch},
      {"prefetchu", decodePrefetch},
      {"createpolicy", decodePolicy},
      {"applypriority", decodePrefetch},
  };
  return mnemonics;
}
