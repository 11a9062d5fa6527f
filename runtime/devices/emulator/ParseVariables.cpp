// Variables and registers: their sizes, addresses and first values.
#include "runtime/devices/emulator/Parser.h"

#include "runtime/devices/emulator/Memory.h"

#include <bit>
#include <cstring>

using namespace moec::runtime;
using namespace moec::runtime::emulator;

/// `.align 16 .b8 name[2][8]`, with what LLVM adds to pointers that are parameters: `.ptr .global .align 4`.
Status Parser::declaration(Declaration &declared) {
  uint64_t vector = 1;
  for (;;) {
    const Token word = next();
    if (word.kind != Token::Kind::word)
      return error(word, "expected the name of a variable");
    if (word.text[0] != '.') {
      declared.name = word;
      break;
    }
    std::string_view name = word.text.substr(1);
    if (name == "align") {
      uint64_t alignment;
      MOEC_RETURN_IF_ERROR(integer(alignment));
      // That of what a pointer points to comes behind the type.
      if (declared.type == Type::none)
        declared.alignment = alignment;
      if (!std::has_single_bit(alignment) || alignment > 4096)
        return error(word, "expected an alignment that is a power of two of at most 4096, got " + std::to_string(alignment));
    } else if (name == "v2" || name == "v4") {
      vector = name == "v2" ? 2 : 4;
    } else if (Type type = typeNamed(name); bytesOf(type)) {
      declared.type = type;
    } else if (name != "ptr" && name != "global" && name != "shared" && name != "const" && name != "local" && name != "param") {
      return error(word, "expected a type");
    }
  }
  if (declared.type == Type::none)
    return error(declared.name, "expected a type before the name");
  declared.bytes = bytesOf(declared.type) * vector;
  declared.alignment = std::max<uint64_t>(declared.alignment, declared.bytes);
  while (accept("[")) {
    if (accept("]")) {
      declared.isUnsized = true;
      continue;
    }
    uint64_t count;
    MOEC_RETURN_IF_ERROR(integer(count));
    if (__builtin_mul_overflow(declared.bytes, count, &declared.bytes) || declared.bytes > maximumVariableBytes)
      return error(declared.name, "expected a variable of at most " + std::to_string(maximumVariableBytes) + " bytes");
    MOEC_RETURN_IF_ERROR(expect("]"));
  }
  return {};
}

Status Parser::variable(std::string_view space, bool isExternal) {
  Declaration declared;
  MOEC_RETURN_IF_ERROR(declaration(declared));
  Symbol symbol;
  symbol.bytes = declared.bytes;
  symbol.alignment = uint32_t(declared.alignment);
  if (space == ".shared") {
    symbol.kind = declared.isUnsized ? Symbol::Kind::dynamic : Symbol::Kind::shared;
    if (isExternal && !declared.isUnsized)
      return error(declared.name, "expected external shared memory without a size");
  } else if (space == ".global" || space == ".const") {
    if (isExternal)
      return error(declared.name, "external variables are not supported");
    auto made = std::make_unique<Variable>();
    made->name = declared.name.text;
    made->readOnly = space == ".const";
    // An unsized array is as large as its first values, which are looked through twice.
    size_t start = at;
    uint64_t filled = 0;
    if (declared.isUnsized && peek().is("=")) {
      next();
      MOEC_RETURN_IF_ERROR(initialiser(*made, declared, filled, 0));
      declared.bytes = filled;
      at = start;
    }
    variableBytes += declared.bytes;
    if (variableBytes > maximumVariableBytes)
      return error(declared.name, "expected variables of at most " + std::to_string(maximumVariableBytes) + " bytes in all");
    made->bytes = declared.bytes;
    made->storage = std::make_unique<std::byte[]>(declared.bytes + declared.alignment);
    uintptr_t address = reinterpret_cast<uintptr_t>(made->storage.get());
    made->data = made->storage.get() + (declared.alignment - address % declared.alignment) % declared.alignment;
    filled = 0;
    if (accept("="))
      MOEC_RETURN_IF_ERROR(initialiser(*made, declared, filled, 0));
    symbol.kind = Symbol::Kind::global;
    symbol.address = reinterpret_cast<uintptr_t>(made->data);
    module.variables.push_back(std::move(made));
  } else {
    return error(declared.name, "expected a variable in .global, .const or .shared");
  }
  if (!symbols.declare(declared.name.text, symbol))
    return error(declared.name, "expected each name once");
  return expect(";");
}

/// A value, or values in braces. Before the variable has its memory they are only counted.
Status Parser::initialiser(Variable &variable, const Declaration &declared, uint64_t &filled, unsigned depth) {
  if (depth > 8)
    return error(peek(), "expected at most 8 levels of braces");
  if (accept("{")) {
    if (accept("}"))
      return {};
    do
      MOEC_RETURN_IF_ERROR(initialiser(variable, declared, filled, depth + 1));
    while (accept(","));
    return expect("}");
  }
  const Token first = peek();
  SyntaxOperand value;
  if (first.is("generic")) { // generic(name): addresses of global memory are generic ones
    next();
    MOEC_RETURN_IF_ERROR(expect("("));
    MOEC_RETURN_IF_ERROR(operand(value, 0));
    MOEC_RETURN_IF_ERROR(expect(")"));
  } else {
    MOEC_RETURN_IF_ERROR(operand(value, 0));
  }
  uint64_t bits = value.bits;
  unsigned bytes = bytesOf(declared.type);
  if (value.kind == SyntaxOperand::Kind::name) {
    Symbol *symbol = symbols.find(value.name);
    if (!symbol || symbol->kind != Symbol::Kind::global || bytes != 8)
      return error(first, "expected a value or the name of a variable declared before");
    bits = symbol->address + uint64_t(value.offset);
  } else if (value.kind == SyntaxOperand::Kind::real && bytes == 4) {
    bits = std::bit_cast<uint32_t>(float(std::bit_cast<double>(bits)));
  }
  if (variable.data) {
    if (filled + bytes > variable.bytes)
      return error(first, "expected at most " + std::to_string(variable.bytes) + " bytes of values");
    std::memcpy(variable.data + filled, &bits, bytes);
  }
  filled += bytes;
  return {};
}

/// In .local memory, or a parameter of a call.
Status Parser::localVariable(const Declaration &declared) {
  bool isEntry = module.functions[currentFunction].isEntry;
  uint64_t used = isEntry ? entryLocalBytes : module.functionLocalBytes;
  uint64_t start = (used + declared.alignment - 1) / declared.alignment * declared.alignment;
  if (declared.bytes > maximumLocalBytes || start + declared.bytes > maximumLocalBytes)
    return error(declared.name, "expected at most " + std::to_string(maximumLocalBytes) + " bytes of local memory");
  Symbol symbol;
  symbol.kind = Symbol::Kind::local;
  symbol.address = start + (isEntry ? entryLocalStart : 0);
  symbol.bytes = declared.bytes;
  if (!symbols.declare(declared.name.text, symbol))
    return error(declared.name, "expected each name once");
  if (isEntry)
    entryLocalBytes = start + declared.bytes;
  else
    module.functionLocalBytes = uint32_t(start + declared.bytes);
  return {};
}

/// `.reg .b32 %r<10>, %x;`
Status Parser::registers() {
  const Token typeName = next();
  Type type = typeName.text.starts_with('.') ? typeNamed(typeName.text.substr(1)) : Type::none;
  if (type == Type::none)
    return error(typeName, "expected the type of registers");
  Type held = type == Type::pred ? Type::pred : bytesOf(type) <= 2 ? Type::b16 : bytesOf(type) == 4 ? Type::b32 : Type::b64;
  do {
    const Token name = next();
    if (name.kind != Token::Kind::word)
      return error(name, "expected the name of a register");
    std::optional<uint64_t> count;
    if (accept("<")) {
      uint64_t value;
      MOEC_RETURN_IF_ERROR(integer(value));
      MOEC_RETURN_IF_ERROR(expect(">"));
      count = value;
    }
    if (!symbols.declareRegisters(name.text, held, count))
      return error(name, "expected each name once");
  } while (accept(","));
  return expect(";");
}
