// The table of PTX's fundamental types.
#include "runtime/devices/emulator/Types.h"

using namespace moec::runtime::emulator;

namespace {
struct Entry {
  Type type;
  std::string_view name;
  unsigned bytes;
  bool isSigned, isFloat;
};

constexpr Entry entries[] = {
    {Type::none, "", 0, false, false},       {Type::pred, "pred", 0, false, false}, {Type::b8, "b8", 1, false, false},
    {Type::b16, "b16", 2, false, false},     {Type::b32, "b32", 4, false, false},   {Type::b64, "b64", 8, false, false},
    {Type::u8, "u8", 1, false, false},       {Type::u16, "u16", 2, false, false},   {Type::u32, "u32", 4, false, false},
    {Type::u64, "u64", 8, false, false},     {Type::s8, "s8", 1, true, false},      {Type::s16, "s16", 2, true, false},
    {Type::s32, "s32", 4, true, false},      {Type::s64, "s64", 8, true, false},    {Type::f16, "f16", 2, true, true},
    {Type::bf16, "bf16", 2, true, true},     {Type::f32, "f32", 4, true, true},     {Type::tf32, "tf32", 4, true, true},
    {Type::f64, "f64", 8, true, true},       {Type::f16x2, "f16x2", 4, true, true}, {Type::bf16x2, "bf16x2", 4, true, true},
    {Type::e4m3, "e4m3", 1, true, true},     {Type::e5m2, "e5m2", 1, true, true},   {Type::e4m3x2, "e4m3x2", 2, true, true},
    {Type::e5m2x2, "e5m2x2", 2, true, true},
};
} // namespace

Type moec::runtime::emulator::typeNamed(std::string_view name) {
  for (const Entry &entry : entries)
    if (entry.name == name)
      return entry.type;
  return Type::none;
}

unsigned moec::runtime::emulator::bytesOf(Type type) { return entries[unsigned(type)].bytes; }
bool moec::runtime::emulator::isSigned(Type type) { return entries[unsigned(type)].isSigned; }
bool moec::runtime::emulator::isFloat(Type type) { return entries[unsigned(type)].isFloat; }
