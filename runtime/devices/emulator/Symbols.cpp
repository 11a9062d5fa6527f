// Scopes of names.
#include "runtime/devices/emulator/Symbols.h"

#include <charconv>
#include <ranges>

using namespace moec::runtime::emulator;

bool Symbols::declareRegisters(std::string_view name, Type type, std::optional<uint64_t> count) {
  Scope &scope = scopes.back();
  return count ? scope.ranges.emplace(name, Range{type, *count}).second : scope.declared.emplace(name, type).second;
}

Symbol *Symbols::find(std::string_view name) {
  for (Scope &scope : std::views::reverse(scopes))
    if (auto found = scope.symbols.find(name); found != scope.symbols.end())
      return &found->second;
  return nullptr;
}

const Register *Symbols::findRegister(std::string_view name, Function &function) {
  std::string_view prefix = name.substr(0, name.find_last_not_of("0123456789") + 1);
  std::string_view digits = name.substr(prefix.size());
  uint64_t number = 0;
  bool isNumbered = !digits.empty() && (digits.size() == 1 || digits[0] != '0') &&
                    std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc();
  for (Scope &scope : std::views::reverse(scopes)) {
    if (auto found = scope.registers.find(name); found != scope.registers.end())
      return &found->second;
    std::optional<Type> type;
    if (auto found = scope.declared.find(name); found != scope.declared.end())
      type = found->second;
    else if (auto range = scope.ranges.find(prefix); isNumbered && range != scope.ranges.end() && number < range->second.count)
      type = range->second.type;
    if (type)
      return &scope.registers.emplace(name, allocate(*type, function)).first->second;
  }
  return nullptr;
}

Register Symbols::allocate(Type type, Function &function) {
  Register made;
  made.type = type;
  made.slot.offset = function.registerBytes;
  made.slot.index = function.slotCount++;
  function.registerBytes += type == Type::pred ? unsigned(sizeof(LaneMask)) : laneCount * bytesOf(type);
  function.registerBytes = (function.registerBytes + 7) & ~7u; // a predicate leaves what follows aligned
  return made;
}
