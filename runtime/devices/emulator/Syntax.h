// One instruction as it is written: names, not yet registers.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SYNTAX_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SYNTAX_H

#include <cstdint>
#include <string_view>
#include <vector>

namespace moec::runtime::emulator {

struct SyntaxOperand {
  enum class Kind : uint8_t {
    name,    ///< a register, variable, label or function, perhaps + offset
    integer, ///< `bits`
    single,  ///< 0f...: the bits of a float
    real,    ///< 0d... or a decimal fraction: the bits of a double
    vector,  ///< {a, b}
    address, ///< [name + offset]; an absolute address has no name
    list,    ///< (a, b): the arguments of a call
  };
  Kind kind = Kind::name;
  bool negated = false; ///< !p
  std::string_view name;
  std::string_view second; ///< of `name|second`
  int64_t offset = 0;
  uint64_t bits = 0;
  std::vector<SyntaxOperand> elements;
};

struct Statement {
  uint32_t line = 0;
  std::string_view guard; ///< a predicate's name; empty for none
  bool guardNegated = false;
  std::string_view opcode; ///< with its modifiers
  std::vector<SyntaxOperand> operands;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SYNTAX_H
