// The grammar of PTX: a module's directives and functions, whose statements go to the decoder as they are read.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_PARSER_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_PARSER_H

#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Lexer.h"

namespace moec::runtime::emulator {

/// Reads tokens; of an error it keeps the first and its line.
class Parser {
public:
  Parser(Module &module, std::vector<Token> tokens) : module(module), tokens(std::move(tokens)), constants(module) {}

  Status parse();

private:
  // Tokens.
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  const Token &next() { return tokens[at + 1 < tokens.size() ? at++ : at]; }
  bool accept(std::string_view text);
  Status expect(std::string_view text);
  Status error(const Token &token, const std::string &message) const;
  void skipLine();
  Status skipBraces();

  // Directives (Parser.cpp).
  Status directive();
  /// `.maxntid 128, 1, 1` and its like.
  Status counts(std::array<uint32_t, 3> &values);

  // Variables (ParseVariables.cpp).
  struct Declaration {
    Token name;
    Type type = Type::none;
    uint64_t bytes = 0, alignment = 1;
    bool isUnsized = false;
  };
  Status declaration(Declaration &declared);
  Status variable(std::string_view space, bool isExternal);
  Status initialiser(Variable &variable, const Declaration &declared, uint64_t &filled, unsigned depth);
  Status localVariable(const Declaration &declared);
  Status registers();

  // Functions (ParseFunctions.cpp).
  Status function(bool isEntry);
  Status parameterList(std::vector<Parameter> &parameters, uint32_t &bytes, bool isEntry);
  Status body();
  Status finishFunction(FunctionWork &work);
  Status branchTargets(std::string_view label, FunctionWork &work);
  uint32_t functionNamed(std::string_view name);

  // Statements (ParseStatements.cpp).
  Status statement(Statement &statement);
  Status operand(SyntaxOperand &operand, unsigned depth);
  Status operandList(std::vector<SyntaxOperand> &operands, std::string_view close, unsigned depth);
  Status number(SyntaxOperand &operand);
  Status integer(uint64_t &value);

  Module &module;
  std::vector<Token> tokens;
  size_t at = 0;
  Symbols symbols;
  Constants constants;
  uint32_t currentFunction = 0;
  uint64_t variableBytes = 0;
  uint64_t entryLocalBytes = 0;
};

/// Checks that calls do not recur, and how deep they go.
Status linkCalls(Module &module);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_PARSER_H
