// Parses chat templates: recursive descent over the tokens, with a bound on depth.
#include "runtime/chat/Lexer.h"
#include "runtime/chat/Syntax.h"

#include <algorithm>
#include <optional>

using namespace moec::runtime;
using namespace moec::runtime::chat;

namespace {
using Kind = Expression::Kind;
constexpr int maxDepth = 64;

/// Errors are kept in `status`; once there is one, parsing runs dry.
class Parser {
public:
  explicit Parser(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  Result<std::vector<Statement>> run() {
    std::vector<Statement> statements = block({});
    if (status.ok() && peek().kind != Token::Kind::end)
      refuse("unexpected {% " + peek(1).text + " %}");
    if (!status.ok())
      return status;
    return statements;
  }

private:
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  void refuse(const std::string &why) {
    if (status.ok())
      status = Status::invalidData("chat template, line " + std::to_string(peek().line) + ": " + why);
  }
  bool isSymbol(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == Token::Kind::symbol && peek(ahead).text == text;
  }
  bool isName(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == Token::Kind::name && peek(ahead).text == text;
  }
  bool take(std::string_view text) {
    if (!isSymbol(text) && !isName(text))
      return false;
    ++at;
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text))
      refuse("expected '" + std::string(text) + "', got '" + peek().text + "'");
  }
  std::string expectName() {
    if (peek().kind != Token::Kind::name) {
      refuse("expected a name, got '" + peek().text + "'");
      return {};
    }
    return tokens[at++].text;
  }
  void expectEndTag() {
    if (peek().kind == Token::Kind::endTag)
      ++at;
    else
      refuse("unexpected '" + peek().text + "' in a tag");
  }

  /// Statements up to a tag that begins with one of `ends`, which is left standing.
  std::vector<Statement> block(std::initializer_list<std::string_view> ends) {
    std::vector<Statement> statements;
    if (++depth > maxDepth)
      refuse("nested more than " + std::to_string(maxDepth) + " deep");
    while (status.ok() && peek().kind != Token::Kind::end) {
      if (peek().kind == Token::Kind::beginTag &&
          std::ranges::any_of(ends, [&](std::string_view end) { return peek(1).text == end; }))
        break;
      if (std::optional<Statement> next = statement())
        statements.push_back(std::move(*next));
      else
        break;
    }
    --depth;
    return statements;
  }

  std::optional<Statement> statement() {
    Statement result;
    result.line = peek().line;
    if (peek().kind == Token::Kind::text) {
      result.text = tokens[at++].text;
      return result;
    }
    if (peek().kind == Token::Kind::beginOutput) {
      ++at;
      result.kind = Statement::Kind::output;
      result.expressions.push_back(expression());
      if (peek().kind != Token::Kind::endOutput)
        refuse("unexpected '" + peek().text + "' in an output");
      ++at;
      return result;
    }
    if (isName("if", 1)) {
      at += 2;
      return branch(result.line);
    }
    if (isName("for", 1)) {
      at += 2;
      return loop(std::move(result));
    }
    if (isName("set", 1)) {
      at += 2;
      return set(std::move(result));
    }
    if (isName("break", 1) || isName("continue", 1)) {
      result.kind = isName("break", 1) ? Statement::Kind::stop : Statement::Kind::next;
      at += 2;
      expectEndTag();
      return result;
    }
    if (isName("generation", 1) || isName("endgeneration", 1)) { // marks what a model is trained on; prints nothing
      at += 2;
      expectEndTag();
      return statement();
    }
    if (peek().kind == Token::Kind::beginTag && peek(1).text.starts_with("e")) // an end that nothing has begun
      return std::nullopt;
    if (peek().kind == Token::Kind::end)
      return std::nullopt;
    refuse("{% " + peek(1).text + " %} is not supported");
    return std::nullopt;
  }

  void endBlock(std::string_view name) {
    if (peek().kind != Token::Kind::beginTag || !isName(name, 1)) {
      refuse("expected {% " + std::string(name) + " %}");
      return;
    }
    at += 2;
    expectEndTag();
  }

  /// What may stand between the body of a statement and its `end`.
  void elseAndEnd(Statement &statement, std::string_view end) {
    if (isName("else", 1)) {
      at += 2;
      expectEndTag();
      statement.otherwise = block({end});
    }
    endBlock(end);
  }

  Statement branch(int line) {
    Statement result;
    result.kind = Statement::Kind::branch;
    result.line = line;
    result.expressions.push_back(expression());
    expectEndTag();
    result.body = block({"elif", "else", "endif"});
    if (isName("elif", 1)) {
      int elseLine = peek().line;
      at += 2;
      result.otherwise.push_back(branch(elseLine)); // takes the endif
      return result;
    }
    elseAndEnd(result, "endif");
    return result;
  }

  Statement loop(Statement result) {
    result.kind = Statement::Kind::loop;
    do
      result.names.push_back(expectName());
    while (take(","));
    expect("in");
    result.expressions.push_back(disjunction()); // not a conditional: `if` filters
    if (take("if"))
      result.expressions.push_back(expression());
    expectEndTag();
    result.body = block({"else", "endfor"});
    elseAndEnd(result, "endfor");
    return result;
  }

  Statement set(Statement result) {
    result.kind = Statement::Kind::set;
    result.names.push_back(expectName());
    if (take("."))
      result.attribute = expectName();
    else
      while (take(","))
        result.names.push_back(expectName());
    if (take("=")) {
      result.expressions.push_back(expression());
      expectEndTag();
    } else {
      expectEndTag();
      result.body = block({"endset"});
      endBlock("endset");
    }
    return result;
  }

  Expression node(Kind kind, std::string text, std::vector<Expression> operands) {
    Expression result;
    result.kind = kind;
    result.line = peek().line;
    result.text = std::move(text);
    result.operands = std::move(operands);
    return result;
  }
  Expression constant(Value value) {
    Expression result = node(Kind::constant, "", {});
    result.value = std::move(value);
    return result;
  }
  template <typename... Operands> Expression make(Kind kind, std::string text, Operands... operands) {
    std::vector<Expression> list;
    (list.push_back(std::move(operands)), ...);
    return node(kind, std::move(text), std::move(list));
  }

  Expression expression() {
    if (++depth > maxDepth)
      refuse("nested more than " + std::to_string(maxDepth) + " deep");
    if (!status.ok())
      return {};
    Expression value = disjunction();
    if (take("if")) {
      Expression condition = disjunction();
      Expression otherwise = take("else") ? expression() : constant(Value());
      value = make(Kind::conditional, "", std::move(value), std::move(condition), std::move(otherwise));
    }
    --depth;
    return value;
  }

  Expression disjunction() { return leftAssociative({"or"}, &Parser::conjunction); }
  Expression conjunction() { return leftAssociative({"and"}, &Parser::negation); }
  Expression negation() {
    int count = 0;
    while (take("not"))
      ++count;
    Expression value = comparison();
    while (count--)
      value = make(Kind::unary, "not", std::move(value));
    return value;
  }
  Expression comparison() {
    Expression left = concatenation();
    while (status.ok()) {
      if (isName("not") && isName("in", 1)) {
        at += 2;
        left = make(Kind::unary, "not", make(Kind::binary, "in", std::move(left), concatenation()));
        continue;
      }
      std::string operation = peek().text;
      bool compares = peek().kind == Token::Kind::symbol && (operation == "==" || operation == "!=" || operation == "<" ||
                                                             operation == "<=" || operation == ">" || operation == ">=");
      if (!compares && !isName("in"))
        break;
      ++at;
      left = make(Kind::binary, operation, std::move(left), concatenation());
    }
    return left;
  }
  Expression concatenation() { return leftAssociative({"~"}, &Parser::sum); }
  Expression sum() { return leftAssociative({"+", "-"}, &Parser::product); }
  Expression product() { return leftAssociative({"*", "//", "%"}, &Parser::unary); }
  Expression unary() {
    if (take("-"))
      return make(Kind::unary, "-", postfix());
    return postfix();
  }
  Expression leftAssociative(std::initializer_list<std::string_view> operations, Expression (Parser::*next)()) {
    Expression left = (this->*next)();
    while (status.ok()) {
      auto found =
          std::ranges::find_if(operations, [&](std::string_view operation) { return isSymbol(operation) || isName(operation); });
      if (found == operations.end())
        break;
      ++at;
      left = make(Kind::binary, std::string(*found), std::move(left), (this->*next)());
    }
    return left;
  }

  Expression postfix() {
    Expression value = primary();
    while (status.ok()) {
      if (take(".")) {
        value = make(Kind::attribute, expectName(), std::move(value));
      } else if (take("[")) {
        value = subscript(std::move(value));
      } else if (take("(")) {
        value = make(Kind::call, "", std::move(value));
        arguments(value);
      } else if (take("|")) {
        value = make(Kind::filter, expectName(), std::move(value));
        if (take("("))
          arguments(value);
      } else if (take("is")) {
        bool negated = take("not");
        value = make(Kind::test, expectName(), std::move(value));
        if (take("("))
          arguments(value);
        if (negated)
          value = make(Kind::unary, "not", std::move(value));
      } else {
        break;
      }
    }
    return value;
  }

  Expression subscript(Expression value) {
    auto part = [&] { return isSymbol(":") || isSymbol("]") ? constant(Value::none()) : expression(); };
    Expression first = part();
    if (take("]"))
      return make(Kind::item, "", std::move(value), std::move(first));
    expect(":");
    Expression second = part(), third = take(":") ? part() : constant(Value::none());
    expect("]");
    return make(Kind::slice, "", std::move(value), std::move(first), std::move(second), std::move(third));
  }

  void arguments(Expression &call) {
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

  Expression primary() {
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
      return sequence(Kind::list, "]");
    if (take("{"))
      return dictionary();
    refuse("unexpected '" + token.text + "'");
    return {};
  }
  Expression parenthesis() {
    Expression value = expression();
    expect(")");
    return value;
  }
  Expression sequence(Kind kind, std::string_view close) {
    Expression result = node(kind, "", {});
    while (status.ok() && !take(close)) {
      result.operands.push_back(expression());
      if (!take(",") && !isSymbol(close))
        refuse("expected ',' or '" + std::string(close) + "'");
    }
    return result;
  }
  Expression dictionary() {
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

  std::vector<Token> tokens;
  size_t at = 0;
  int depth = 0;
  Status status;
};
} // namespace

Result<std::vector<Statement>> moec::runtime::chat::parseTemplate(std::string_view source) {
  Result<std::vector<Token>> tokens = tokenizeTemplate(source);
  if (!tokens.ok())
    return tokens.status();
  return Parser(std::move(*tokens)).run();
}
