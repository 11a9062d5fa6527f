// A module's directives.
#include "runtime/devices/emulator/Parser.h"

using namespace moec::runtime;
using namespace moec::runtime::emulator;

bool Parser::accept(std::string_view text) {
  if (!peek().is(text) || peek().kind == Token::Kind::end)
    return false;
  next();
  return true;
}

Status Parser::expect(std::string_view text) {
  if (accept(text))
    return {};
  return error(peek(), "expected '" + std::string(text) + "'");
}

Status Parser::error(const Token &token, const std::string &message) const {
  std::string got = token.kind == Token::Kind::end ? "the end of the text" : "'" + std::string(token.text.substr(0, 80)) + "'";
  return Status::invalidData(module.name + ":" + std::to_string(token.line) + ": " + message + ", got " + got);
}

void Parser::skipLine() {
  for (uint32_t line = peek().line; peek().kind != Token::Kind::end && peek().line == line;)
    next();
}

Status Parser::skipBraces() {
  MOEC_RETURN_IF_ERROR(expect("{"));
  for (unsigned depth = 1; depth;) {
    const Token &token = next();
    if (token.kind == Token::Kind::end)
      return error(token, "expected '}'");
    depth += token.is("{");
    depth -= token.is("}");
  }
  return {};
}

Status Parser::counts(std::array<uint32_t, 3> &values) {
  values = {1, 1, 1};
  for (unsigned k = 0; k < 3; ++k) {
    uint64_t value;
    MOEC_RETURN_IF_ERROR(integer(value));
    values[k] = uint32_t(std::min<uint64_t>(value, ~uint32_t(0)));
    if (!accept(","))
      break;
  }
  return {};
}

Status Parser::parse() {
  while (peek().kind != Token::Kind::end)
    MOEC_RETURN_IF_ERROR(directive());
  return linkCalls(module);
}

Status Parser::directive() {
  const Token first = next();
  if (first.is(".version") || first.is(".address_size")) {
    const Token value = next();
    if (first.is(".address_size") && !value.is("64"))
      return error(value, "expected addresses of 64 bits");
    return {};
  }
  if (first.is(".target")) {
    do
      next();
    while (accept(","));
    return {};
  }
  if (first.is(".file") || first.is(".loc")) {
    --at;
    skipLine();
    return {};
  }
  if (first.is(".section")) {
    next();
    return skipBraces();
  }
  if (first.is(".pragma")) {
    next();
    return expect(";");
  }
  if (first.is(".visible") || first.is(".weak") || first.is(".common"))
    return {};
  if (first.is(".extern")) {
    const Token what = next();
    if (what.is(".func"))
      return function(false);
    return variable(what.text, true);
  }
  if (first.is(".entry") || first.is(".func"))
    return function(first.is(".entry"));
  if (first.is(".global") || first.is(".const") || first.is(".shared"))
    return variable(first.text, false);
  return error(first, "expected a directive of a module");
}

Result<std::unique_ptr<Module>> moec::runtime::emulator::parseModule(std::string_view text, std::string_view name) {
  auto module = std::make_unique<Module>();
  module->name = name;
  if (text.size() >= uint64_t(1) << 28)
    return Status::invalidData(module->name + ": expected less than 256 MiB of PTX");
  module->text = text;
  Result<std::vector<Token>> tokens = tokenize(module->text, module->name);
  if (!tokens.ok())
    return tokens.status();
  MOEC_RETURN_IF_ERROR(Parser(*module, std::move(*tokens)).parse());
  return module;
}
