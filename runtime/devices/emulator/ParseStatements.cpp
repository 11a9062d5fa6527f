// Instructions as they are written.
#include "runtime/devices/emulator/Parser.h"

#include <bit>
#include <charconv>
#include <cstdlib>

using namespace moec::runtime;
using namespace moec::runtime::emulator;

Status Parser::integer(uint64_t &value) {
  const Token token = peek();
  SyntaxOperand operand;
  MOEC_RETURN_IF_ERROR(number(operand));
  if (operand.kind != SyntaxOperand::Kind::integer)
    return error(token, "expected an integer");
  value = operand.bits;
  return {};
}

Status Parser::number(SyntaxOperand &operand) {
  bool negative = accept("-");
  const Token token = next();
  std::string_view digits = token.text;
  if (token.kind != Token::Kind::word || digits[0] < '0' || digits[0] > '9')
    return error(token, "expected a number");
  auto parse = [&](std::string_view text, int base) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), operand.bits, base);
    return !text.empty() && failure == std::errc() && end == text.data() + text.size();
  };
  bool good;
  std::string_view prefix = digits.substr(0, 2);
  operand.kind = SyntaxOperand::Kind::integer;
  if (prefix == "0f" || prefix == "0F") {
    operand.kind = SyntaxOperand::Kind::single;
    good = digits.size() == 10 && parse(digits.substr(2), 16);
    operand.bits ^= negative ? uint64_t(1) << 31 : 0;
  } else if (prefix == "0d" || prefix == "0D") {
    operand.kind = SyntaxOperand::Kind::real;
    good = digits.size() == 18 && parse(digits.substr(2), 16);
    operand.bits ^= negative ? uint64_t(1) << 63 : 0;
  } else if (digits.find('.') != std::string_view::npos) {
    operand.kind = SyntaxOperand::Kind::real;
    double value = 0;
    auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    good = failure == std::errc() && end == digits.data() + digits.size();
    operand.bits = std::bit_cast<uint64_t>(negative ? -value : value);
  } else {
    if (digits.ends_with('U'))
      digits.remove_suffix(1);
    if (prefix == "0x" || prefix == "0X")
      good = parse(digits.substr(2), 16);
    else if (prefix == "0b" || prefix == "0B")
      good = parse(digits.substr(2), 2);
    else
      good = parse(digits, digits.size() > 1 && digits[0] == '0' ? 8 : 10);
    operand.bits = negative ? -operand.bits : operand.bits;
  }
  return good ? Status() : error(token, "expected a number");
}

Status Parser::operandList(std::vector<SyntaxOperand> &operands, std::string_view close, unsigned depth) {
  if (depth > 4)
    return error(peek(), "expected at most 4 levels of brackets");
  if (accept(close))
    return {};
  do
    MOEC_RETURN_IF_ERROR(operand(operands.emplace_back(), depth + 1));
  while (accept(","));
  return expect(close);
}

Status Parser::operand(SyntaxOperand &operand, unsigned depth) {
  if (accept("{")) {
    operand.kind = SyntaxOperand::Kind::vector;
    return operandList(operand.elements, "}", depth);
  }
  if (accept("(")) {
    operand.kind = SyntaxOperand::Kind::list;
    return operandList(operand.elements, ")", depth);
  }
  bool isAddress = accept("[");
  operand.negated = accept("!");
  const Token first = peek();
  if (first.is("-") || (first.kind == Token::Kind::word && first.text[0] >= '0' && first.text[0] <= '9')) {
    MOEC_RETURN_IF_ERROR(number(operand));
    if (isAddress)
      operand.offset = int64_t(operand.bits);
  } else if (first.kind == Token::Kind::word) {
    operand.name = next().text;
    if (accept("|"))
      operand.second = next().text;
    bool plus = peek().is("+"), minus = peek().is("-");
    if (plus || minus) {
      if (plus)
        next(); // the minus belongs to the number
      uint64_t offset;
      MOEC_RETURN_IF_ERROR(integer(offset));
      operand.offset = int64_t(offset);
    }
  } else {
    return error(first, "expected an operand");
  }
  if (!isAddress)
    return {};
  operand.kind = SyntaxOperand::Kind::address;
  return expect("]");
}

Status Parser::statement(Statement &statement) {
  statement.line = peek().line;
  if (accept("@")) {
    statement.guardNegated = accept("!");
    statement.guard = next().text;
  }
  const Token opcode = next();
  if (opcode.kind != Token::Kind::word)
    return error(opcode, "expected an instruction");
  statement.opcode = opcode.text;
  statement.line = opcode.line;
  if (accept(";"))
    return {};
  do
    MOEC_RETURN_IF_ERROR(operand(statement.operands.emplace_back(), 0));
  while (accept(","));
  return expect(";");
}
