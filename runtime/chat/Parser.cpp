// Parses the statements of a chat template.
#include "runtime/chat/ExpressionParser.h"

#include <algorithm>
#include <optional>

using namespace moec::runtime;
using namespace moec::runtime::chat;

namespace {
class Parser : public ExpressionParser {
public:
  using ExpressionParser::ExpressionParser;

  Result<std::vector<Statement>> run() {
    std::vector<Statement> statements = block({});
    if (status.ok() && peek().kind != Token::Kind::end)
      refuse("unexpected {% " + peek(1).text + " %}");
    if (!status.ok())
      return status;
    return statements;
  }

private:
  /// Statements up to a tag that begins with one of `ends`, which is left standing.
  std::vector<Statement> block(std::initializer_list<std::string_view> ends) {
    std::vector<Statement> statements;
    Level level(*this);
    while (status.ok() && peek().kind != Token::Kind::end) {
      if (peek().kind == Token::Kind::beginTag &&
          std::ranges::any_of(ends, [&](std::string_view end) { return peek(1).text == end; }))
        break;
      if (std::optional<Statement> next = statement())
        statements.push_back(std::move(*next));
      else
        break;
    }
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
      result.expressions.push_back(tuple());
      if (peek().kind != Token::Kind::endOutput)
        refuse("unexpected '" + peek().text + "' in an output");
      ++at;
      return result;
    }
    if (takeTag("if"))
      return branch(result.line);
    if (takeTag("for"))
      return loop(std::move(result));
    if (takeTag("set"))
      return set(std::move(result));
    if (takeTag("filter"))
      return filter(std::move(result));
    if (takeTag("with"))
      return with(std::move(result));
    if (takeTag("macro"))
      return macro(std::move(result));
    for (auto [name, kind] : {std::pair("break", Statement::Kind::stop), {"continue", Statement::Kind::next}})
      if (takeTag(name)) {
        result.kind = kind;
        expectEndTag();
        return result;
      }
    if (takeTag("generation") || takeTag("endgeneration")) { // marks what a model is trained on; prints nothing
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

  /// Takes the begin of a tag with its name.
  bool takeTag(std::string_view name) {
    if (peek().kind != Token::Kind::beginTag || !isName(name, 1))
      return false;
    at += 2;
    return true;
  }

  void endBlock(std::string_view name) {
    if (takeTag(name))
      expectEndTag();
    else
      refuse("expected {% " + std::string(name) + " %}");
  }

  /// The statement whose tag ends here, with its body and end.
  Statement withBody(Statement statement, std::string_view end) {
    expectEndTag();
    statement.body = block({end});
    endBlock(end);
    return statement;
  }

  /// What may stand between the body of a statement and its `end`.
  void elseAndEnd(Statement &statement, std::string_view end) {
    if (takeTag("else")) {
      expectEndTag();
      statement.otherwise = block({end});
    }
    endBlock(end);
  }

  Statement branch(int line) {
    Level level(*this); // an elif is a branch inside the else of the one before
    Statement result;
    result.kind = Statement::Kind::branch;
    result.line = line;
    result.expressions.push_back(expression());
    expectEndTag();
    if (!status.ok())
      return result;
    result.body = block({"elif", "else", "endif"});
    int elseLine = peek().line;
    if (takeTag("elif")) {
      result.otherwise.push_back(branch(elseLine)); // takes the endif
      return result;
    }
    elseAndEnd(result, "endif");
    return result;
  }

  Statement loop(Statement result) {
    result.kind = Statement::Kind::loop;
    names(result);
    expect("in");
    result.expressions.push_back(disjunction()); // not a conditional: `if` filters
    if (take("if"))
      result.expressions.push_back(expression());
    if (isName("recursive"))
      refuse("a recursive loop is not supported");
    expectEndTag();
    result.body = block({"else", "endfor"});
    elseAndEnd(result, "endfor");
    return result;
  }

  /// a, b or (a, b).
  void names(Statement &result) {
    bool parenthesis = take("(");
    do
      result.names.push_back(expectName());
    while (take(","));
    if (parenthesis)
      expect(")");
  }

  Statement set(Statement result) {
    result.kind = Statement::Kind::set;
    if (peek().kind == Token::Kind::name && isSymbol(".", 1)) {
      result.names.push_back(expectName());
      ++at;
      result.attribute = expectName();
    } else {
      names(result);
    }
    if (take("=")) {
      result.expressions.push_back(tuple());
      expectEndTag();
      return result;
    }
    if (take("|"))
      result.otherwise.push_back(filterOf(result.line)); // what becomes of the text
    return withBody(std::move(result), "endset");
  }

  /// The filters of a tag, over the text that its block makes.
  Statement filterOf(int line) {
    Statement result;
    result.kind = Statement::Kind::filter;
    result.line = line;
    result.names = {""}; // no name of a template's own
    result.expressions.push_back(filtersOver(""));
    return result;
  }

  Statement filter(Statement begin) { return withBody(filterOf(begin.line), "endfilter"); }

  Statement with(Statement result) {
    result.kind = Statement::Kind::with;
    while (status.ok() && peek().kind != Token::Kind::endTag) {
      result.names.push_back(expectName());
      expect("=");
      result.expressions.push_back(expression());
      if (!take(","))
        break;
    }
    return withBody(std::move(result), "endwith");
  }

  Statement macro(Statement result) {
    result.kind = Statement::Kind::macro;
    result.text = expectName();
    expect("(");
    while (status.ok() && !take(")")) {
      result.names.push_back(expectName());
      if (take("="))
        result.expressions.push_back(expression());
      else if (!result.expressions.empty())
        refuse("a parameter without a default behind one with a default");
      if (!take(",") && !isSymbol(")"))
        refuse("expected ',' or ')', got '" + peek().text + "'");
    }
    return withBody(std::move(result), "endmacro");
  }
};
} // namespace

Result<std::vector<Statement>> moec::runtime::chat::parseTemplate(std::string_view source) {
  Result<std::vector<Token>> tokens = tokenizeTemplate(source);
  if (!tokens.ok())
    return tokens.status();
  return Parser(std::move(*tokens)).run();
}
