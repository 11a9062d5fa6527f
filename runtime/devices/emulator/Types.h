// The fundamental types of PTX and what is known of each.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_TYPES_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_TYPES_H

#include <cstdint>
#include <string_view>

namespace moec::runtime::emulator {

enum class Type : uint8_t {
  none,
  pred,
  b8,
  b16,
  b32,
  b64,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  bf16,
  f32,
  tf32,
  f64,
  f16x2,
  bf16x2,
  e4m3,
  e5m2,
  e4m3x2,
  e5m2x2,
};

/// The type that a modifier or directive without its dot names; `none` when it names none.
Type typeNamed(std::string_view name);

/// Bytes of a value in memory; 0 for predicates.
unsigned bytesOf(Type type);

bool isSigned(Type type);
bool isFloat(Type type);

/// State spaces. A generic address holds the space in its upper half (Memory.h).
enum class Space : uint8_t { generic, global, constant, shared, local, parameter };

/// Whom a fence or a strong operation concerns: the threads of the block (a cluster is one), or all.
enum class Scope : uint8_t { block, device };
constexpr unsigned scopeCount = 2;

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_TYPES_H
