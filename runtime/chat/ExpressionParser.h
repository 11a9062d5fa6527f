// Parses the expressions of a chat template: recursive descent over the tokens, with a bound on depth.
#ifndef MOEC_RUNTIME_CHAT_EXPRESSIONPARSER_H
#define MOEC_RUNTIME_CHAT_EXPRESSIONPARSER_H

#include "runtime/chat/Lexer.h"
#include "runtime/chat/Syntax.h"

#include <initializer_list>

namespace moec::runtime::chat {

/// Errors are kept in `status`; once there is one, parsing runs dry.
class ExpressionParser {
public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  /// An expression, with a conditional.
  Expression expression();
  /// An expression that ends before `if`.
  Expression disjunction() { return leftAssociative({"or"}, &ExpressionParser::conjunction); }
  /// An expression or a tuple without parentheses.
  Expression tuple();
  /// Filters behind nothing: of {% filter upper | trim %}, over the variable `name`.
  Expression filtersOver(const std::string &name);

protected:
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  void refuse(const std::string &why) {
    if (status.ok())
      status = atLine(peek().line, Status::invalidData(why));
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

  /// Counts one more level of nesting while it lives.
  class Level {
  public:
    explicit Level(ExpressionParser &parser) : parser(parser) { parser.enter(); }
    ~Level() { --parser.depth; }
    Level(const Level &) = delete;

  private:
    ExpressionParser &parser;
  };
  void enter();

  std::vector<Token> tokens;
  size_t at = 0;
  int depth = 0;
  Status status;

private:
  using Kind = Expression::Kind;
  using Next = Expression (ExpressionParser::*)();
  Expression node(Kind kind, std::string text, std::vector<Expression> operands) const;
  Expression constant(Value value) const;
  template <typename... Operands> Expression make(Kind kind, std::string text, Operands... operands) const {
    std::vector<Expression> list;
    (list.push_back(std::move(operands)), ...);
    return node(kind, std::move(text), std::move(list));
  }
  /// Refuses chains that are too long: their trees are as deep as they are long.
  void link(int &links);

  Expression leftAssociative(std::initializer_list<std::string_view> operations, Next next);
  Expression conjunction() { return leftAssociative({"and"}, &ExpressionParser::negation); }
  Expression negation();
  Expression comparison();
  Expression sum() { return leftAssociative({"+", "-"}, &ExpressionParser::concatenation); }
  Expression concatenation() { return leftAssociative({"~"}, &ExpressionParser::product); }
  Expression product() { return leftAssociative({"*", "/", "//", "%"}, &ExpressionParser::unary); }
  Expression unary();
  Expression signedPrimary();
  Expression postfix(Expression value);
  Expression filters(Expression value);
  Expression test(Expression value);
  Expression subscript(Expression value);
  void arguments(Expression &call);
  Expression primary();
  Expression parenthesis();
  /// The rest of a list, up to `close`.
  Expression sequence(std::string_view close);
  Expression dictionary();
};

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_EXPRESSIONPARSER_H
