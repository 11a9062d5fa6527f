// Parses the expressions of a chat template: recursive descent over the tokens, with a bound on depth.
#include "runtime/chat/ExpressionParser.h"

#include <algorithm>
#include <charconv>

using namespace moec::runtime;
using namespace moec::runtime::chat;

void ExpressionParser::enter() {
  constexpr int maxDepth = 64;
  if (++depth > maxDepth)
    refuse("nested more than " + std::to_string(maxDepth) + " deep");
}

void ExpressionParser::link(int &links) {
  constexpr int maxLinks = 256;
  if (++links > maxLinks)
    refuse("a chain of more than " + std::to_string(maxLinks) + " operations");
}

Expression ExpressionParser::node(Kind kind, std::string text, std::vector<Expression> operands) const {
  Expression result;
  result.kind = kind;
  result.line = peek().line;
  result.text = std::move(text);
  result.operands = std::move(operands);
  return result;
}

Expression ExpressionParser::constant(Value value) const {
  Expression result = node(Kind::constant, "", {});
  result.value = std::move(value);
  return result;
}

Expression ExpressionParser::expression() {
  Level level(*this);
  if (!status.ok())
    return {};
  Expression value = disjunction();
  int links = 0;
  while (status.ok() && take("if")) {
    link(links);
    Expression condition = disjunction();
    Expression otherwise = take("else") ? expression() : constant(Value());
    value = make(Kind::conditional, "", std::move(value), std::move(condition), std::move(otherwise));
  }
  return value;
}

Expression ExpressionParser::tuple() {
  Expression value = expression();
  if (!isSymbol(","))
    return value;
  value = make(Kind::list, "", std::move(value));
  while (status.ok() && take(",") && peek().kind != Token::Kind::endTag && !isSymbol("="))
    value.operands.push_back(expression());
  return value;
}

Expression ExpressionParser::filtersOver(const std::string &name) {
  Expression value = node(Kind::name, name, {});
  value = make(Kind::filter, expectName(), std::move(value));
  if (take("("))
    arguments(value);
  return filters(std::move(value));
}

Expression ExpressionParser::negation() {
  if (!take("not"))
    return comparison();
  Level level(*this);
  return status.ok() ? make(Kind::unary, "not", negation()) : Expression();
}

Expression ExpressionParser::comparison() {
  Expression left = sum();
  Expression chain = node(Kind::comparison, "", {});
  int links = 0;
  while (status.ok()) {
    std::string operation = peek().text;
    bool isNotIn = isName("not") && isName("in", 1);
    bool compares = peek().kind == Token::Kind::symbol && (operation == "==" || operation == "!=" || operation == "<" ||
                                                           operation == "<=" || operation == ">" || operation == ">=");
    if (!compares && !isNotIn && !isName("in"))
      break;
    link(links);
    at += isNotIn ? 2 : 1;
    if (chain.operands.empty())
      chain.operands.push_back(std::move(left));
    chain.keywords.push_back(isNotIn ? "not in" : operation);
    chain.operands.push_back(sum());
  }
  return chain.operands.empty() ? left : chain;
}

Expression ExpressionParser::leftAssociative(std::initializer_list<std::string_view> operations, Next next) {
  Expression left = (this->*next)();
  int links = 0;
  while (status.ok()) {
    auto found =
        std::ranges::find_if(operations, [&](std::string_view operation) { return isSymbol(operation) || isName(operation); });
    if (found == operations.end())
      break;
    link(links);
    ++at;
    left = make(Kind::binary, std::string(*found), std::move(left), (this->*next)());
  }
  return left;
}

Expression ExpressionParser::unary() { return filters(signedPrimary()); }

Expression ExpressionParser::signedPrimary() {
  std::string sign = peek().text;
  if (!isSymbol("-") && !isSymbol("+"))
    return postfix(primary());
  ++at;
  Level level(*this);
  return status.ok() ? make(Kind::unary, sign, signedPrimary()) : Expression();
}

Expression ExpressionParser::postfix(Expression value) {
  int links = 0;
  while (status.ok()) {
    link(links);
    if (take(".")) {
      if (peek().kind == Token::Kind::integer) { // Jinja's other spelling of an index
        std::string digits = tokens[at++].text;
        value = make(Kind::item, "", std::move(value), constant(Value::of(int64_t(std::stoll(digits)))));
      } else {
        value = make(Kind::attribute, expectName(), std::move(value));
      }
    } else if (take("[")) {
      value = subscript(std::move(value));
    } else if (take("(")) {
      value = make(Kind::call, "", std::move(value));
      arguments(value);
    } else {
      break;
    }
  }
  return value;
}

Expression ExpressionParser::filters(Expression value) {
  int links = 0;
  while (status.ok()) {
    link(links);
    if (take("|")) {
      value = make(Kind::filter, expectName(), std::move(value));
      if (take("("))
        arguments(value);
    } else if (take("is")) {
      value = test(std::move(value));
    } else if (take("(")) { // what a filter gave, called
      value = make(Kind::call, "", std::move(value));
      arguments(value);
    } else {
      break;
    }
  }
  return value;
}

Expression ExpressionParser::test(Expression value) {
  bool negated = take("not");
  value = make(Kind::test, expectName(), std::move(value));
  bool argument = (peek().kind == Token::Kind::name && !isName("else") && !isName("or") && !isName("and") && !isName("is") &&
                   !isName("if") && !isName("not") && !isName("in")) ||
                  peek().kind == Token::Kind::string || peek().kind == Token::Kind::integer ||
                  peek().kind == Token::Kind::fraction || isSymbol("[") || isSymbol("{");
  if (take("("))
    arguments(value);
  else if (argument)
    value.operands.push_back(postfix(primary()));
  return negated ? make(Kind::unary, "not", std::move(value)) : value;
}

Expression ExpressionParser::subscript(Expression value) {
  auto part = [&] { return isSymbol(":") || isSymbol("]") ? constant(Value::none()) : expression(); };
  Expression first = part();
  if (take("]"))
    return make(Kind::item, "", std::move(value), std::move(first));
  expect(":");
  Expression second = part(), third = take(":") ? part() : constant(Value::none());
  expect("]");
  return make(Kind::slice, "", std::move(value), std::move(first), std::move(second), std::move(third));
}

void ExpressionParser::arguments(Expression &call) {
  while (status.ok() && !take(")")) {
    if (peek().kind == Token::Kind::name && isSymbol("=", 1)) {
      call.keywords.push_back(expectName());
      ++at;
    } else if (!call.keywords.empty()) {
      refuse("an argument without a name behind one with a name");
    }
    call.operands.push_back(expression());
    if (!take(",") && !isSymbol(")"))
      refuse("expected ',' or ')', got '" + peek().text + "'");
  }
}

Expression ExpressionParser::primary() {
  const Token &token = peek();
  switch (token.kind) {
  case Token::Kind::string: {
    std::string text;
    while (peek().kind == Token::Kind::string)
      text += tokens[at++].text;
    return constant(Value::of(text));
  }
  case Token::Kind::integer:
    ++at;
    return constant(Value::of(int64_t(std::stoll(token.text))));
  case Token::Kind::fraction: {
    ++at;
    double number = 0;
    std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
    return constant(Value::of(number));
  }
  case Token::Kind::name:
    ++at;
    if (token.text == "true" || token.text == "True")
      return constant(Value::of(true));
    if (token.text == "false" || token.text == "False")
      return constant(Value::of(false));
    if (token.text == "none" || token.text == "None")
      return constant(Value::none());
    return node(Kind::name, token.text, {});
  default:
    break;
  }
  if (take("("))
    return parenthesis();
  if (take("["))
    return sequence("]");
  if (take("{"))
    return dictionary();
  refuse("unexpected '" + token.text + "'");
  return {};
}

Expression ExpressionParser::parenthesis() {
  if (isSymbol(")"))
    return sequence(")");
  Expression value = expression();
  if (take(",")) {
    Expression rest = sequence(")");
    rest.operands.insert(rest.operands.begin(), std::move(value));
    return rest;
  }
  expect(")");
  return value;
}

Expression ExpressionParser::sequence(std::string_view close) {
  Expression result = node(Kind::list, "", {});
  while (status.ok() && !take(close)) {
    result.operands.push_back(expression());
    if (!take(",") && !isSymbol(close))
      refuse("expected ',' or '" + std::string(close) + "'");
  }
  return result;
}

Expression ExpressionParser::dictionary() {
  Expression result = node(Kind::dictionary, "", {});
  while (status.ok() && !take("}")) {
    result.operands.push_back(expression());
    expect(":");
    result.operands.push_back(expression());
    if (!take(",") && !isSymbol("}"))
      refuse("expected ',' or '}'");
  }
  return result;
}
