// Atomic operations on memory: atom returns what was there, red does not.
#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/FloatOperations.h"
#include "runtime/devices/emulator/Synchronization.h"
#include "runtime/devices/emulator/Traffic.h"

#include <algorithm>

using namespace moec::runtime::emulator;

namespace {
template <class T> T sum(T old, T b) {
  if constexpr (std::is_integral_v<T>)
    return T(uint64_t(old) + uint64_t(b));
  else
    return old + b;
}
template <class T> T least(T old, T b) { return std::min(old, b); }
template <class T> T most(T old, T b) { return std::max(old, b); }
template <class T> T both(T old, T b) { return old & b; }
template <class T> T either(T old, T b) { return old | b; }
template <class T> T different(T old, T b) { return old ^ b; }
template <class T> T exchanged(T, T b) { return b; }
/// Counts up to b and begins anew, or down from it.
uint32_t wrapUp(uint32_t old, uint32_t b) { return old >= b ? 0 : old + 1; }
uint32_t wrapDown(uint32_t old, uint32_t b) { return old == 0 || old > b ? b : old - 1; }

template <class T, class Body> void atomically(Warp &warp, const Instruction &i, Body update) {
  Access access = accessOf(warp, i, 0, AccessKind::atomic);
  access.strong = true;
  std::lock_guard lock(warp.launch.strongOperations);
  Resolved at;
  resolve(warp, access, at);
  publish(warp, access, i.releases);
  T old[laneCount] = {};
  Staging values = {};
  bool changes = false;
  forEachLane(at.lanes, [&](unsigned lane) {
    std::memcpy(&old[lane], at.data[lane], sizeof(T));
    T updated = update(old[lane], lane);
    changes |= std::memcmp(&updated, &old[lane], sizeof(T)) != 0;
    std::memcpy(at.data[lane], &updated, sizeof(T));
    std::memcpy(values[lane], &updated, sizeof(T));
    if (at.written[lane])
      std::memset(at.written[lane], isWritten, sizeof(T));
  });
  if (i.results)
    warp.write(i, 0, old);
  observe(warp, access, i.acquires);
  if (changes)
    noteProgress(warp);
  else
    warp.noteRead(digestOf(access, values));
}

template <class T, T (*combine)(T, T)> void update(Warp &warp, const Instruction &i) {
  const T *value = warp.source<T>(i, 1);
  atomically<T>(warp, i, [&](T old, unsigned lane) { return combine(old, value[lane]); });
}

template <class T> void compareAndSwap(Warp &warp, const Instruction &i) {
  const T *expected = warp.source<T>(i, 1), *value = warp.source<T>(i, 2);
  atomically<T>(warp, i, [&](T old, unsigned lane) { return old == expected[lane] ? value[lane] : old; });
}

template <class T> Execute integerUpdate(unsigned operation) {
  constexpr Execute operations[] = {&update<T, &sum<T>>,      &update<T, &least<T>>,  &update<T, &most<T>>,
                                    &update<T, &both<T>>,     &update<T, &either<T>>, &update<T, &different<T>>,
                                    &update<T, &exchanged<T>>};
  return operation < 7 ? operations[operation] : nullptr;
}

Execute updateOf(unsigned operation, Type type) {
  switch (type) {
  case Type::b32:
  case Type::u32:
    return operation == 7   ? &update<uint32_t, &wrapUp>
           : operation == 8 ? &update<uint32_t, &wrapDown>
                            : integerUpdate<uint32_t>(operation);
  case Type::s32:
    return integerUpdate<int32_t>(operation);
  case Type::b64:
  case Type::u64:
    return integerUpdate<uint64_t>(operation);
  case Type::s64:
    return integerUpdate<int64_t>(operation);
  case Type::b16:
    return operation >= 3 ? integerUpdate<uint16_t>(operation) : nullptr;
  case Type::f32:
    return operation == 0 ? &update<float, &sum<float>> : nullptr;
  case Type::f64:
    return operation == 0 ? &update<double, &sum<double>> : nullptr;
  case Type::f16:
    return operation == 0 ? &update<uint16_t, &binaryNarrow<Half, AddFloats>> : nullptr;
  case Type::bf16:
    return operation == 0 ? &update<uint16_t, &binaryNarrow<Bfloat, AddFloats>> : nullptr;
  case Type::f16x2:
    return operation == 0 ? &update<uint32_t, &pairwise<&binaryNarrow<Half, AddFloats>>> : nullptr;
  case Type::bf16x2:
    return operation == 0 ? &update<uint32_t, &pairwise<&binaryNarrow<Bfloat, AddFloats>>> : nullptr;
  default:
    return nullptr;
  }
}

/// atom{.sem}{.scope}{.space}.op{.noftz}.type d, [a], b {, c}; red the same without d
void decodeAtomic(Decoder &d) {
  bool returns = d.mnemonic() == "atom";
  d.takeMemoryModifiers();
  bool swaps = d.take("cas");
  unsigned operation = swaps ? 0 : d.takeOne({"add", "min", "max", "and", "or", "xor", "exch", "inc", "dec"});
  d.take("noftz");
  Type type = d.takeType();
  size_t operands = size_t(returns) + (swaps ? 3 : 2);
  d.expectOperands(operands, operands);
  if (returns)
    d.result(0, type);
  d.address(returns);
  d.source(returns + 1, type);
  if (swaps)
    d.source(returns + 2, type);
  d.instruction.bytes = uint8_t(bytesOf(type));
  d.instruction.strict = swaps ? 3 : 2;
  if (!swaps)
    return d.executeWith(updateOf(operation, type));
  d.executeWith(isFloat(type)        ? nullptr
                : bytesOf(type) == 2 ? &compareAndSwap<uint16_t>
                : bytesOf(type) == 4 ? &compareAndSwap<uint32_t>
                : bytesOf(type) == 8 ? &compareAndSwap<uint64_t>
                                     : nullptr);
}
} // namespace

std::span<const Mnemonic> moec::runtime::emulator::atomicMnemonics() {
  static constexpr Mnemonic mnemonics[] = {{"atom", decodeAtomic}, {"red", decodeAtomic}};
  return mnemonics;
}
