// Turns one statement into an instruction: a family's decoder takes modifiers and operands from it, then says what executes it.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_DECODER_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_DECODER_H

#include "runtime/devices/emulator/Symbols.h"
#include "runtime/devices/emulator/Syntax.h"

#include <initializer_list>
#include <span>

namespace moec::runtime::emulator {

/// What decoding a function leaves for its end.
struct FunctionWork {
  struct Jump {
    uint32_t instruction, line;
    std::string_view label;
  };
  std::vector<Jump> jumps;
  std::vector<Jump> tableEntries; ///< `instruction` is the index of a table
  /// Constants that hold addresses in dynamic shared memory, which starts where the static variables end.
  struct DynamicAddress {
    uint32_t constant, bytes;
    int64_t offset;
  };
  std::vector<DynamicAddress> dynamicAddresses;
  std::unordered_map<std::string_view, uint32_t> labels;
  std::unordered_map<std::string_view, uint32_t> branchTables;
  std::unordered_map<std::string_view, uint64_t> sharedAddresses; ///< of the variables that the entry names
  std::unordered_map<unsigned, Register> specials;
};

/// The module's constants, each once.
class Constants {
public:
  explicit Constants(Module &module) : module(module) {}
  Slot value(uint64_t bits, Type type);
  /// One that is like no other, so that it can be changed later.
  Slot fresh(uint64_t bits, Type type);

private:
  Module &module;
  std::map<std::pair<uint64_t, unsigned>, Slot> known;
};

/// The first mistake is kept, the rest of the decoder's work is then void; so families need not look after each step.
class Decoder {
public:
  Decoder(Module &module, uint32_t function, Symbols &symbols, Constants &constants, FunctionWork &work,
          const Statement &statement);

  // Modifiers, the words behind the mnemonic: whatever is not taken is an error.
  std::string_view mnemonic() const { return words[0]; }
  bool take(std::string_view modifier);
  /// The first of these, which is taken; or an error, unless `fallback` is given.
  unsigned takeOne(std::initializer_list<std::string_view> modifiers, int fallback = -1);
  /// The first type among the modifiers; an error where there is none.
  Type takeType();
  /// Likewise, its name.
  std::string_view takeTypeName();
  /// The type that takeType would take; `none` where there is none.
  Type peekType() const;
  /// Takes a modifier that starts with `prefix`; empty where there is none.
  std::string_view takePrefixed(std::string_view prefix);
  Space takeSpace(Space fallback);
  /// .cta, .gpu and their like; without one it is the device.
  void takeScope();
  /// The state space and .sem, .scope, cache operators and hints of a memory instruction.
  void takeMemoryModifiers();

  // Operands; results before sources.
  size_t operands() const { return statement.operands.size(); }
  const SyntaxOperand &syntax(size_t k);
  void expectOperands(size_t least, size_t most);
  void result(size_t k, Type type);
  void resultPredicate(size_t k);
  void source(size_t k, Type type);
  void sourcePredicate(size_t k);
  void result(const SyntaxOperand &operand, Type type);
  void source(const SyntaxOperand &operand, Type type);
  /// The address operand; it must have been written.
  void address(size_t k);
  /// The bytes of the register that an operand names; those of `type` for an immediate value or a sink.
  unsigned registerBytes(const SyntaxOperand &operand, Type type);
  /// A value that must be known now.
  uint64_t immediate(size_t k);
  bool isRegister(size_t k);
  bool isImmediate(size_t k) { return syntax(k).kind != SyntaxOperand::Kind::name || !isRegister(k); }
  const Register *findRegister(const SyntaxOperand &operand);
  /// Where a label is, once the function's end is known.
  void jumpTo(size_t k);

  /// What executes the instruction; nothing is an error: the combination of types and modifiers is unknown.
  void executeWith(Execute execute);
  void fail(const std::string &message);

  Status finish();

  Instruction instruction;
  std::vector<Instruction> before, after; ///< further ones under the same guard
  Module &module;
  Symbols &symbols;
  FunctionWork &work;
  const uint32_t functionIndex;
  Function &function() { return module.functions[functionIndex]; }

private:
  Slot constant(const SyntaxOperand &operand, Type type);
  Slot addressOf(const SyntaxOperand &operand, Type type);
  Slot special(unsigned special);

  const Statement &statement;
  Constants &constants;
  std::vector<std::string_view> words;
  std::vector<Slot> results, sources;
  std::string error;
};

struct Mnemonic {
  std::string_view name;
  void (*decode)(Decoder &decoder);
};

// What each family knows.
std::span<const Mnemonic> integerMnemonics();
std::span<const Mnemonic> bitMnemonics();
std::span<const Mnemonic> floatMnemonics();
std::span<const Mnemonic> floatFunctionMnemonics();
std::span<const Mnemonic> comparisonMnemonics();
std::span<const Mnemonic> moveMnemonics();
std::span<const Mnemonic> conversionMnemonics();
std::span<const Mnemonic> controlMnemonics();
std::span<const Mnemonic> loadStoreMnemonics();
std::span<const Mnemonic> barrierMnemonics();
std::span<const Mnemonic> warpWideMnemonics();
std::span<const Mnemonic> atomicMnemonics();
std::span<const Mnemonic> asyncCopyMnemonics();
std::span<const Mnemonic> phaseBarrierMnemonics();
std::span<const Mnemonic> matrixMnemonics();

/// The decoder of a mnemonic, or null. Those of several families ("add") are told apart by type.
void (*decoderOf(std::string_view mnemonic))(Decoder &);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_DECODER_H
