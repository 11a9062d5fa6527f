// Functions: headers, bodies, and what their ends resolve.
#include "runtime/devices/emulator/Parser.h"

#include "runtime/devices/emulator/ControlFlow.h"

#include <algorithm>
#include <cstring>

using namespace moec::runtime;
using namespace moec::runtime::emulator;

uint32_t Parser::functionNamed(std::string_view name) {
  Symbol *symbol = symbols.find(name);
  return symbol && symbol->kind == Symbol::Kind::function ? uint32_t(symbol->address) : noTarget;
}

Status Parser::parameterList(std::vector<Parameter> &parameters, uint32_t &bytes, bool isEntry) {
  if (!accept("("))
    return {};
  parameters.clear();
  if (accept(")"))
    return {};
  do {
    MOEC_RETURN_IF_ERROR(expect(".param"));
    Declaration declared;
    MOEC_RETURN_IF_ERROR(declaration(declared));
    Parameter &parameter = parameters.emplace_back();
    parameter.name = declared.name.text;
    parameter.bytes = uint32_t(declared.bytes);
    if (isEntry) {
      parameter.offset = uint32_t((bytes + declared.alignment - 1) / declared.alignment * declared.alignment);
      if (parameter.offset + declared.bytes > maximumParameterBytes)
        return error(declared.name, "expected at most " + std::to_string(maximumParameterBytes) + " bytes of parameters");
      bytes = parameter.offset + parameter.bytes;
      Symbol symbol;
      symbol.kind = Symbol::Kind::parameter;
      symbol.address = parameter.offset;
      symbol.bytes = declared.bytes;
      if (!symbols.declare(declared.name.text, symbol))
        return error(declared.name, "expected each name once");
    } else {
      MOEC_RETURN_IF_ERROR(localVariable(declared));
      parameter.offset = uint32_t(symbols.find(declared.name.text)->address);
    }
  } while (accept(","));
  return expect(")");
}

Status Parser::function(bool isEntry) {
  Function made;
  made.isEntry = isEntry;
  symbols.push();
  // Parameters are declared in the scope of the function, which is known by its name only after those it returns.
  currentFunction = uint32_t(module.functions.size());
  module.functions.push_back({});
  entryLocalBytes = 0;
  uint32_t ignored = 0;
  MOEC_RETURN_IF_ERROR(parameterList(made.returns, ignored, false));
  const Token name = next();
  if (name.kind != Token::Kind::word)
    return error(name, "expected the name of a function");
  made.name = name.text;
  MOEC_RETURN_IF_ERROR(parameterList(made.parameters, made.parameterBytes, isEntry));

  // What has been declared before keeps its place, so that calls of it stay what they are.
  uint32_t known = functionNamed(name.text);
  if (known != noTarget) {
    if (module.functions[known].isDefined || isEntry)
      return error(name, "expected each function once");
    module.functions.pop_back();
    currentFunction = known;
  }
  module.functions[currentFunction] = std::move(made);

  for (Function &header = module.functions[currentFunction];;) {
    const Token token = next();
    if (token.is(".maxntid")) {
      MOEC_RETURN_IF_ERROR(counts(header.maximumThreads));
    } else if (token.is(".reqntid")) {
      MOEC_RETURN_IF_ERROR(counts(header.requiredThreads));
    } else if (token.is(".minnctapersm") || token.is(".maxnreg") || token.is(".maxclusterrank")) {
      next();
    } else if (token.is(".noreturn") || token.is(".pragma")) {
      if (token.is(".pragma"))
        next(), accept(";");
    } else if (token.is(";") || token.is("{")) {
      bool isDefinition = token.is("{");
      if (isDefinition)
        MOEC_RETURN_IF_ERROR(body());
      symbols.pop();
      if (known == noTarget) {
        Symbol symbol;
        symbol.kind = Symbol::Kind::function;
        symbol.address = currentFunction;
        // Views into the text outlive the function's copy of its name.
        if (!symbols.declare(name.text, symbol))
          return error(name, "expected each name once");
      }
      return {};
    } else {
      return error(token, "expected the body of a function");
    }
  }
}

Status Parser::body() {
  FunctionWork pending;
  {
    Function &function = module.functions[currentFunction];
    function.isDefined = true;
    function.begin = uint32_t(module.instructions.size());
  }
  size_t outermost = symbols.depth();
  for (;;) {
    const Token first = peek();
    if (first.kind == Token::Kind::end)
      return error(first, "expected '}'");
    if (accept("{")) {
      if (symbols.depth() - outermost > 64)
        return error(first, "expected at most 64 levels of braces");
      symbols.push();
    } else if (accept("}")) {
      if (symbols.depth() == outermost)
        break;
      symbols.pop();
    } else if (accept(".reg")) {
      MOEC_RETURN_IF_ERROR(registers());
    } else if (accept(".local") || accept(".param")) {
      Declaration declared;
      MOEC_RETURN_IF_ERROR(declaration(declared));
      MOEC_RETURN_IF_ERROR(localVariable(declared));
      MOEC_RETURN_IF_ERROR(expect(";"));
    } else if (first.is(".shared") || first.is(".global") || first.is(".const")) {
      next();
      MOEC_RETURN_IF_ERROR(variable(first.text, false));
    } else if (first.is(".loc") || first.is(".file")) {
      skipLine();
    } else if (accept(".pragma")) {
      next();
      MOEC_RETURN_IF_ERROR(expect(";"));
    } else if (first.kind == Token::Kind::word && peek(1).is(":")) {
      next();
      next();
      if (peek().is(".branchtargets")) {
        MOEC_RETURN_IF_ERROR(branchTargets(first.text, pending));
        continue;
      }
      if (!pending.labels.emplace(first.text, uint32_t(module.instructions.size())).second)
        return error(first, "expected each label once");
    } else {
      Statement parsed;
      MOEC_RETURN_IF_ERROR(statement(parsed));
      std::string_view mnemonic = parsed.opcode.substr(0, parsed.opcode.find('.'));
      void (*decode)(Decoder &) = decoderOf(mnemonic);
      if (!decode)
        return Status::invalidData(module.name + ":" + std::to_string(parsed.line) + ": '" + std::string(parsed.opcode) +
                                   "': instruction '" + std::string(mnemonic) + "' is not supported");
      Decoder decoder(module, currentFunction, symbols, constants, pending, parsed);
      decode(decoder);
      MOEC_RETURN_IF_ERROR(decoder.finish());
    }
  }
  return finishFunction(pending);
}

Status Parser::branchTargets(std::string_view label, FunctionWork &pending) {
  next();
  uint32_t table = uint32_t(module.branchTables.size());
  module.branchTables.emplace_back();
  pending.branchTables.emplace(label, table);
  do {
    // The entries are resolved like jumps: see finishFunction.
    const Token target = next();
    pending.tableEntries.push_back({table, target.line, target.text});
  } while (accept(","));
  return expect(";");
}

Status Parser::finishFunction(FunctionWork &pending) {
  Function &function = module.functions[currentFunction];
  // Control that falls out of the body returns.
  Statement end;
  end.opcode = "ret";
  end.line = peek().line;
  Decoder decoder(module, currentFunction, symbols, constants, pending, end);
  decoderOf("ret")(decoder);
  MOEC_RETURN_IF_ERROR(decoder.finish());
  function.end = uint32_t(module.instructions.size());
  if (function.isEntry)
    function.localBytes = uint32_t((entryLocalBytes + 15) / 16 * 16);
  module.functionLocalBytes = (module.functionLocalBytes + 15) / 16 * 16;

  auto unknown = [&](const FunctionWork::Jump &jump) {
    return Status::invalidData(module.name + ":" + std::to_string(jump.line) + ": label '" + std::string(jump.label) +
                               "' is not defined");
  };
  for (const FunctionWork::Jump &jump : pending.jumps) {
    Instruction &instruction = module.instructions[jump.instruction];
    auto label = pending.labels.find(jump.label);
    auto table = pending.branchTables.find(jump.label);
    if (instruction.isIndexedBranch ? table == pending.branchTables.end() : label == pending.labels.end())
      return unknown(jump);
    instruction.target = instruction.isIndexedBranch ? table->second : label->second;
  }
  for (const FunctionWork::Jump &entry : pending.tableEntries) {
    auto label = pending.labels.find(entry.label);
    if (label == pending.labels.end())
      return unknown(entry);
    module.branchTables[entry.instruction].push_back(label->second);
  }
  for (const FunctionWork::DynamicAddress &dynamic : pending.dynamicAddresses) {
    uint64_t address = function.dynamicSharedStart() + uint64_t(dynamic.offset);
    for (unsigned lane = 0; lane < laneCount; ++lane)
      std::memcpy(module.constants.data() + dynamic.constant + lane * dynamic.bytes, &address, dynamic.bytes);
  }
  findReconvergence(module, function);
  return {};
}

Status moec::runtime::emulator::linkCalls(Module &module) {
  // Depths are found when all callees have theirs; what is left over then calls itself.
  std::vector<bool> done(module.functions.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t f = 0; f < module.functions.size(); ++f) {
      Function &function = module.functions[f];
      if (done[f] || !std::ranges::all_of(function.callees, [&](uint32_t callee) { return done[callee]; }))
        continue;
      uint32_t registers = 0, slots = 0;
      for (uint32_t callee : function.callees) {
        registers = std::max(registers, module.functions[callee].depthRegisterBytes);
        slots = std::max(slots, module.functions[callee].depthSlotCount);
      }
      function.depthRegisterBytes = function.registerBytes + registers;
      function.depthSlotCount = function.slotCount + slots;
      done[f] = changed = true;
    }
  }
  for (size_t f = 0; f < module.functions.size(); ++f) {
    if (!done[f])
      return Status::invalidData(module.name + ": function '" + module.functions[f].name + "' calls itself");
    for (uint32_t callee : module.functions[f].callees)
      if (!module.functions[callee].isDefined)
        return Status::invalidData(module.name + ": function '" + module.functions[f].name + "' calls '" +
                                   module.functions[callee].name + "', which has no body");
  }
  return {};
}
