// What names mean while a module is decoded: registers, variables and labels, in nested scopes.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SYMBOLS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SYMBOLS_H

#include "runtime/devices/emulator/Module.h"

#include <map>
#include <optional>
#include <unordered_map>

namespace moec::runtime::emulator {

/// Local memory of entries has addresses from here on, that of other functions below.
constexpr uint32_t entryLocalStart = 1 << 24;

/// What a module may ask for, so that a damaged one exhausts nothing.
constexpr uint64_t maximumSharedBytes = 256 << 10;
constexpr uint64_t maximumLocalBytes = 512 << 10;
constexpr uint64_t maximumVariableBytes = 64 << 20;
constexpr uint64_t maximumParameterBytes = 32764;
constexpr uint64_t maximumRegisterBytes = 64 << 20; ///< of a warp, and of all values that instructions name

struct Register {
  Slot slot;
  Type type = Type::none; ///< pred, b16, b32 or b64
};

struct Symbol {
  enum class Kind : uint8_t {
    shared,    ///< gets its address in the first entry that names it
    dynamic,   ///< starts where the static shared variables of the entry end
    local,     ///< `address` in local memory, also parameters of calls
    parameter, ///< `address` among an entry's parameters
    global,    ///< `address` of the host
    function,  ///< `address` is its index
  };
  Kind kind = Kind::global;
  uint64_t address = 0, bytes = 0;
  uint32_t alignment = 1;
};

class Symbols {
public:
  Symbols() { scopes.emplace_back(); }

  void push() { scopes.emplace_back(); }
  void pop() { scopes.pop_back(); }
  size_t depth() const { return scopes.size(); }

  /// False when the scope has the name already.
  bool declare(std::string_view name, const Symbol &symbol) { return scopes.back().symbols.emplace(name, symbol).second; }
  /// Registers `name`, or `name0` to `name<count - 1>`.
  bool declareRegisters(std::string_view name, Type type, std::optional<uint64_t> count);

  Symbol *find(std::string_view name);
  /// The register of a name, which gets its place in `function`'s frames when it is first used; null for an unknown one.
  const Register *findRegister(std::string_view name, Function &function);
  /// A register without a name.
  static Register allocate(Type type, Function &function);

private:
  struct Range {
    Type type;
    uint64_t count;
  };
  struct Scope {
    std::unordered_map<std::string_view, Symbol> symbols;
    std::unordered_map<std::string_view, Register> registers;
    std::unordered_map<std::string_view, Type> declared;
    std::unordered_map<std::string_view, Range> ranges;
  };
  std::vector<Scope> scopes;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SYMBOLS_H
