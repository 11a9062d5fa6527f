// Modifiers and operands of a statement.
#include "runtime/devices/emulator/Decoder.h"

#include "runtime/devices/emulator/Memory.h"
#include "runtime/devices/emulator/SpecialRegisters.h"

#include <algorithm>
#include <bit>
#include <cstring>

using namespace moec::runtime;
using namespace moec::runtime::emulator;

Slot Constants::fresh(uint64_t bits, Type type) {
  unsigned bytes = type == Type::pred ? 4 : std::max(bytesOf(type), 2u);
  Slot slot{uint32_t(module.constants.size()) | 1, 0};
  if (type == Type::pred) {
    LaneMask mask = bits ? allLanes : 0;
    module.constants.resize(module.constants.size() + sizeof(uint64_t)); // what follows stays aligned
    std::memcpy(module.constants.data() + slot.offset - 1, &mask, sizeof mask);
    return slot;
  }
  module.constants.resize(module.constants.size() + laneCount * bytes);
  for (unsigned lane = 0; lane < laneCount; ++lane)
    std::memcpy(module.constants.data() + slot.offset - 1 + lane * bytes, &bits, bytes);
  return slot;
}

Slot Constants::value(uint64_t bits, Type type) {
  unsigned bytes = type == Type::pred ? 0 : std::max(bytesOf(type), 2u);
  auto [at, isNew] = known.try_emplace({bits, bytes});
  if (isNew)
    at->second = fresh(bits, type);
  return at->second;
}

Decoder::Decoder(Module &module, uint32_t function, Symbols &symbols, Constants &constants, FunctionWork &work,
                 const Statement &statement)
    : module(module), symbols(symbols), work(work), functionIndex(function), statement(statement), constants(constants) {
  std::string_view rest = statement.opcode;
  for (size_t dot; (dot = rest.find('.')) != std::string_view::npos; rest.remove_prefix(dot + 1))
    words.push_back(rest.substr(0, dot));
  words.push_back(rest);
  instruction.line = statement.line;
  if (!statement.guard.empty()) {
    const Register *guard = symbols.findRegister(statement.guard, this->function());
    if (!guard || guard->type != Type::pred)
      fail("'" + std::string(statement.guard) + "' is no predicate");
    else
      instruction.guard = guard->slot;
    instruction.guarded = true;
    instruction.negated = statement.guardNegated;
  }
}

void Decoder::fail(const std::string &message) {
  if (error.empty())
    error = message;
}

bool Decoder::take(std::string_view modifier) {
  auto found = std::find(words.begin() + 1, words.end(), modifier);
  if (found == words.end())
    return false;
  words.erase(found);
  return true;
}

unsigned Decoder::takeOne(std::initializer_list<std::string_view> modifiers, int fallback) {
  unsigned index = 0;
  for (std::string_view modifier : modifiers) {
    if (take(modifier))
      return index;
    ++index;
  }
  if (fallback < 0) {
    std::string expected;
    for (std::string_view modifier : modifiers)
      expected += (expected.empty() ? "" : ", ") + std::string(".").append(modifier);
    fail("expected one of " + expected);
  }
  return unsigned(std::max(fallback, 0));
}

Type Decoder::peekType() const {
  for (auto word = words.begin() + 1; word != words.end(); ++word)
    if (Type type = typeNamed(*word); type != Type::none)
      return type;
  return Type::none;
}

std::string_view Decoder::takeTypeName() {
  for (auto word = words.begin() + 1; word != words.end(); ++word)
    if (typeNamed(*word) != Type::none) {
      std::string_view name = *word;
      words.erase(word);
      return name;
    }
  fail("expected a type");
  return "b32";
}

Type Decoder::takeType() { return typeNamed(takeTypeName()); }

std::string_view Decoder::takePrefixed(std::string_view prefix) {
  for (auto word = words.begin() + 1; word != words.end(); ++word)
    if (word->starts_with(prefix)) {
      std::string_view taken = *word;
      words.erase(word);
      return taken;
    }
  return {};
}

Space Decoder::takeSpace(Space fallback) {
  if (take("global"))
    return Space::global;
  if (take("shared") || take("shared::cta"))
    return Space::shared;
  if (take("local"))
    return Space::local;
  if (take("const"))
    return Space::constant;
  if (take("param") || take("param::entry") || take("param::func"))
    return Space::parameter;
  return fallback;
}

void Decoder::takeScope() {
  constexpr Scope scopes[] = {Scope::block, Scope::block, Scope::device, Scope::device, Scope::device};
  instruction.scope = scopes[takeOne({"cta", "cluster", "gl", "gpu", "sys"}, 3)];
}

void Decoder::takeMemoryModifiers() {
  Instruction &i = instruction;
  i.space = takeSpace(Space::generic);
  i.strong = take("volatile");
  bool isBoth = take("acq_rel");
  i.acquires = take("acquire") || isBoth;
  i.releases = take("release") || isBoth;
  i.strong |= take("relaxed") || i.acquires || i.releases;
  take("weak");
  takeScope();
  take("nc");
  takeOne({"ca", "cg", "cs", "lu", "cv", "wb", "wt"}, 0);
  takePrefixed("L1::");
  while (!takePrefixed("L2::").empty())
    ;
}

const SyntaxOperand &Decoder::syntax(size_t k) {
  static const SyntaxOperand none;
  if (k >= statement.operands.size()) {
    fail("expected more than " + std::to_string(statement.operands.size()) + " operands");
    return none;
  }
  return statement.operands[k];
}

void Decoder::expectOperands(size_t least, size_t most) {
  if (operands() < least || operands() > most)
    fail("expected " + std::to_string(least) + (most > least ? " to " + std::to_string(most) : "") + " operands, got " +
         std::to_string(operands()));
}

const Register *Decoder::findRegister(const SyntaxOperand &operand) {
  return operand.kind == SyntaxOperand::Kind::name ? symbols.findRegister(operand.name, function()) : nullptr;
}

bool Decoder::isRegister(size_t k) {
  return findRegister(syntax(k)) || (syntax(k).kind == SyntaxOperand::Kind::name && specialRegisterNamed(syntax(k).name));
}

unsigned Decoder::registerBytes(const SyntaxOperand &operand, Type type) {
  const Register *found = findRegister(operand);
  return found ? bytesOf(found->type) : std::max(bytesOf(type), 2u);
}

void Decoder::result(size_t k, Type type) { result(syntax(k), type); }
void Decoder::source(size_t k, Type type) { source(syntax(k), type); }

static Type registerType(Type type) {
  switch (bytesOf(type)) {
  case 0:
    return Type::pred;
  case 1:
  case 2:
    return Type::b16;
  case 4:
    return Type::b32;
  default:
    return Type::b64;
  }
}

void Decoder::result(const SyntaxOperand &operand, Type type) {
  if (operand.kind == SyntaxOperand::Kind::name && operand.name == "_") {
    results.push_back(Symbols::allocate(registerType(type), function()).slot);
    return;
  }
  const Register *found = findRegister(operand);
  if (!found)
    return fail("'" + std::string(operand.name) + "' is no register");
  if (found->type != registerType(type))
    return fail("'" + std::string(operand.name) + "' has the wrong size for this instruction");
  results.push_back(found->slot);
}

void Decoder::source(const SyntaxOperand &operand, Type type) {
  if (operand.kind != SyntaxOperand::Kind::name) {
    sources.push_back(constant(operand, type));
    return;
  }
  if (const Register *found = findRegister(operand)) {
    if (found->type != registerType(type))
      return fail("'" + std::string(operand.name) + "' has the wrong size for this instruction");
    sources.push_back(found->slot);
  } else if (std::optional<SpecialRegister> named = specialRegisterNamed(operand.name)) {
    if (bytesOf(type) != bytesOf(*named))
      return fail("'" + std::string(operand.name) + "' has the wrong size for this instruction");
    sources.push_back(special(unsigned(*named)));
  } else {
    sources.push_back(addressOf(operand, type));
  }
}

void Decoder::resultPredicate(size_t k) { result(k, Type::pred); }

void Decoder::sourcePredicate(size_t k) { source(k, Type::pred); }

Slot Decoder::special(unsigned special) {
  auto [at, isNew] = work.specials.try_emplace(special);
  if (isNew) {
    at->second = Symbols::allocate(registerType(bytesOf(SpecialRegister(special)) == 8 ? Type::b64 : Type::b32), function());
    function().specials.push_back({uint8_t(special), at->second.slot});
  }
  return at->second.slot;
}

Slot Decoder::constant(const SyntaxOperand &operand, Type type) {
  uint64_t bits = operand.bits;
  bool wantsDouble = type == Type::f64 || type == Type::b64,
       wantsSingle = type == Type::f32 || type == Type::b32 || type == Type::tf32;
  switch (operand.kind) {
  case SyntaxOperand::Kind::integer:
    if (isFloat(type) && bits && bytesOf(type) >= 4 && type != Type::f16x2 && type != Type::bf16x2)
      fail("expected a floating-point value, got an integer");
    break;
  case SyntaxOperand::Kind::single:
    if (!wantsSingle)
      fail("a single-precision value has the wrong size for this instruction");
    break;
  case SyntaxOperand::Kind::real:
    if (wantsSingle)
      bits = std::bit_cast<uint32_t>(float(std::bit_cast<double>(bits)));
    else if (!wantsDouble)
      fail("a double-precision value has the wrong size for this instruction");
    break;
  default:
    fail("expected a register or a value");
  }
  if (unsigned size = std::max(bytesOf(type), 2u); size < 8)
    bits &= (uint64_t(1) << 8 * size) - 1;
  return constants.value(bits, type);
}

Slot Decoder::addressOf(const SyntaxOperand &operand, Type type) {
  Symbol *symbol = symbols.find(operand.name);
  if (!symbol || symbol->kind == Symbol::Kind::function) {
    fail("'" + std::string(operand.name) + "' is not declared");
    return {};
  }
  if (bytesOf(type) < 4) {
    fail("the address of '" + std::string(operand.name) + "' does not fit");
    return {};
  }
  if (symbol->kind == Symbol::Kind::dynamic) {
    Slot slot = constants.fresh(0, type);
    work.dynamicAddresses.push_back({slot.offset - 1, bytesOf(type), operand.offset});
    return slot;
  }
  uint64_t address = symbol->address;
  if (symbol->kind == Symbol::Kind::shared) {
    if (!function().isEntry)
      fail("'" + std::string(operand.name) + "': shared variables in functions that are no entries are not supported");
    auto [at, isNew] = work.sharedAddresses.try_emplace(operand.name);
    if (isNew) {
      uint64_t start = (function().sharedBytes + symbol->alignment - 1) / symbol->alignment * symbol->alignment;
      if (start + symbol->bytes > maximumSharedBytes)
        fail("'" + std::string(operand.name) + "': more than " + std::to_string(maximumSharedBytes) + " bytes of shared memory");
      else
        function().sharedBytes = uint32_t(start + symbol->bytes);
      at->second = start;
    }
    address = at->second;
  }
  if (symbol->kind == Symbol::Kind::global && bytesOf(type) < 8)
    fail("the address of '" + std::string(operand.name) + "' does not fit");
  return constants.value(address + uint64_t(operand.offset), type == Type::b32 || bytesOf(type) == 4 ? Type::b32 : Type::b64);
}

void Decoder::address(size_t k) {
  const SyntaxOperand &operand = syntax(k);
  if (operand.kind != SyntaxOperand::Kind::address)
    return fail("expected an address in brackets");
  instruction.offset = operand.offset;
  instruction.strict = uint8_t(sources.size() + 1);
  if (operand.name.empty()) {
    sources.push_back(constants.value(0, Type::b64));
    return;
  }
  SyntaxOperand base;
  base.name = operand.name;
  if (const Register *found = symbols.findRegister(operand.name, function())) {
    if (found->type != Type::b32 && found->type != Type::b64)
      return fail("'" + std::string(operand.name) + "' is too small for an address");
    instruction.addressBytes = uint8_t(bytesOf(found->type));
    sources.push_back(found->slot);
    return;
  }
  sources.push_back(addressOf(base, Type::b64));
  // Parameters of entries and of calls lie in different places.
  if (Symbol *symbol = symbols.find(operand.name); symbol && instruction.space == Space::parameter)
    instruction.space = symbol->kind == Symbol::Kind::local ? Space::local : Space::parameter;
}

uint64_t Decoder::immediate(size_t k) {
  const SyntaxOperand &operand = syntax(k);
  if (operand.kind != SyntaxOperand::Kind::integer)
    fail("expected operand " + std::to_string(k + 1) + " to be a constant integer");
  return operand.bits;
}

void Decoder::jumpTo(size_t k) { work.jumps.push_back({uint32_t(module.instructions.size()), statement.line, syntax(k).name}); }

void Decoder::executeWith(Execute execute) {
  if (!execute)
    fail("these types and modifiers are not supported together");
  instruction.execute = execute;
}

Status Decoder::finish() {
  if (error.empty() && words.size() > 1)
    error = "modifier '." + std::string(words[1]) + "' is not supported here";
  if (error.empty() && !instruction.execute)
    error = "not supported";
  if (error.empty() && (function().registerBytes > maximumRegisterBytes || module.constants.size() > maximumRegisterBytes))
    error = "the function has more registers or values than can be held";
  if (!error.empty())
    return Status::invalidData(module.name + ":" + std::to_string(statement.line) + ": '" + std::string(statement.opcode) +
                               "': " + error);
  auto add = [&](std::vector<Instruction> &others) {
    for (Instruction &other : others) {
      other.line = instruction.line;
      other.guard = instruction.guard;
      other.guarded = instruction.guarded;
      other.negated = instruction.negated;
      module.instructions.push_back(other);
    }
  };
  instruction.firstOperand = uint32_t(module.slots.size());
  instruction.results = uint8_t(results.size());
  instruction.sources = uint8_t(sources.size());
  module.slots.insert(module.slots.end(), results.begin(), results.end());
  module.slots.insert(module.slots.end(), sources.begin(), sources.end());
  add(before);
  module.instructions.push_back(instruction);
  add(after);
  return {};
}

void (*moec::runtime::emulator::decoderOf(std::string_view mnemonic))(Decoder &) {
  static const auto table = [] {
    std::unordered_map<std::string_view, void (*)(Decoder &)> known;
    for (std::span<const Mnemonic> family :
         {integerMnemonics(), bitMnemonics(), floatMnemonics(), floatFunctionMnemonics(), comparisonMnemonics(), moveMnemonics(),
          conversionMnemonics(), controlMnemonics(), loadStoreMnemonics(), barrierMnemonics(), warpWideMnemonics(),
          atomicMnemonics(), asyncCopyMnemonics(), phaseBarrierMnemonics(), matrixMnemonics()})
      for (const Mnemonic &mnemonic : family)
        known.emplace(mnemonic.name, mnemonic.decode);
    return known;
  }();
  auto found = table.find(mnemonic);
  return found == table.end() ? nullptr : found->second;
}
