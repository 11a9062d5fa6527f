// Interprets the syntax tree of a chat template, within bounds.
#ifndef MOEC_RUNTIME_CHAT_INTERPRETER_H
#define MOEC_RUNTIME_CHAT_INTERPRETER_H

#include "runtime/chat/Functions.h"
#include "runtime/chat/Syntax.h"

#include <unordered_map>

namespace moec::runtime::chat {

/// For one rendering. The statements outlive it.
class Interpreter {
public:
  explicit Interpreter(Dictionary globals) { scopes.push_back(std::move(globals)); }

  /// The text that the template makes.
  Result<std::string> render(const std::vector<Statement> &statements);

private:
  enum class Leaving { nothing, turn, loop };

  Status run(const std::vector<Statement> &statements);
  Status execute(const Statement &statement);
  Status loop(const Statement &statement);
  Status turn(const Statement &statement, const List &items, size_t i);
  Result<List> filtered(const Statement &statement, List items);
  Status set(const Statement &statement);
  Status with(const Statement &statement);
  Result<Value> filterBlock(const Statement &statement, std::string text);
  /// Runs statements; what they print is their result.
  Result<std::string> captured(const std::vector<Statement> &statements);
  Status bind(const Statement &statement, Value value);

  Result<Value> evaluate(const Expression &expression);
  Result<Value> evaluateKind(const Expression &expression);
  Result<Value> combine(const Expression &expression, const List &values);
  Result<Value> logical(const Expression &expression);
  Result<Value> comparison(const Expression &expression);
  /// Values of operands from `from` on, those with keywords by name.
  Result<Arguments> arguments(const Expression &expression, size_t from);
  Result<Value> call(const Expression &expression);
  Result<Value> callFunction(const std::string &name, const Arguments &arguments);
  Result<Value> callMacro(const Statement &macro, const Arguments &arguments);
  Result<Value> range(const Arguments &arguments);

  Value lookUp(std::string_view name) const;
  Status refuse(int line, const std::string &why) const;
  Status spend(int line);

  Budget budget;
  std::string output;
  std::vector<Dictionary> scopes;
  size_t frame = 0; ///< where the scopes of the macro begin that is running; it sees the first scope besides
  std::unordered_map<std::string, const Statement *> macros;
  int nesting = 0; ///< of statements, expressions and macros within each other
  Leaving leaving = Leaving::nothing;
};

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_INTERPRETER_H
