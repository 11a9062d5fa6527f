// Interprets the statements of a chat template, within bounds.
#include "runtime/chat/Interpreter.h"

#include "runtime/chat/Lexer.h"
#include "runtime/chat/Operators.h"

using namespace moec::runtime;
using namespace moec::runtime::chat;

Result<std::string> Interpreter::render(const std::vector<Statement> &statements) {
  MOEC_RETURN_IF_ERROR(run(statements));
  MOEC_RETURN_IF_ERROR(spend(statements.empty() ? 1 : statements.back().line));
  return std::move(output);
}

Status Interpreter::refuse(int line, const std::string &why) const { return atLine(line, Status::invalidData(why)); }

Status Interpreter::spend(int line) {
  constexpr int maxNesting = 1000;
  auto exhausted = [&](const std::string &what) { return atLine(line, Status::resourceExhausted(what)); };
  if (!budget.spend())
    return exhausted("more than " + std::to_string(Budget::maxSteps) + " steps");
  if (output.size() > Budget::maxText)
    return exhausted("more than " + std::to_string(Budget::maxText) + " bytes of text");
  if (nesting > maxNesting)
    return exhausted("macros and blocks nested more than " + std::to_string(maxNesting) + " deep");
  return {};
}

Value Interpreter::lookUp(std::string_view name) const {
  for (size_t i = scopes.size(); i-- > frame;)
    if (const Value *found = scopes[i].find(name))
      return *found;
  const Value *found = scopes[0].find(name);
  return found ? *found : Value();
}

Status Interpreter::run(const std::vector<Statement> &statements) {
  ++nesting;
  Status status;
  for (const Statement &statement : statements) {
    status = execute(statement);
    if (!status.ok() || leaving != Leaving::nothing)
      break;
  }
  --nesting;
  return status;
}

Status Interpreter::execute(const Statement &statement) {
  MOEC_RETURN_IF_ERROR(spend(statement.line));
  switch (statement.kind) {
  case Statement::Kind::text:
    output += statement.text;
    return {};
  case Statement::Kind::output: {
    Result<Value> value = evaluate(statement.expressions[0]);
    if (value.ok())
      output += value->text(budget);
    return value.status();
  }
  case Statement::Kind::branch: {
    Result<Value> condition = evaluate(statement.expressions[0]);
    return condition.ok() ? run(condition->isTrue() ? statement.body : statement.otherwise) : condition.status();
  }
  case Statement::Kind::loop:
    return loop(statement);
  case Statement::Kind::set:
    return set(statement);
  case Statement::Kind::with:
    return with(statement);
  case Statement::Kind::filter: {
    Result<std::string> text = captured(statement.body);
    if (!text.ok())
      return text.status();
    Result<Value> value = filterBlock(statement, std::move(*text));
    if (value.ok())
      output += value->text(budget);
    return value.status();
  }
  case Statement::Kind::macro:
    macros[statement.text] = &statement;
    return {};
  case Statement::Kind::stop:
    leaving = Leaving::loop;
    return {};
  case Statement::Kind::next:
    leaving = Leaving::turn;
    return {};
  }
  return {};
}

Result<std::string> Interpreter::captured(const std::vector<Statement> &statements) {
  std::string before = std::exchange(output, {});
  Status status = run(statements);
  std::string text = std::exchange(output, std::move(before));
  if (!status.ok())
    return status;
  return text;
}

Result<Value> Interpreter::filterBlock(const Statement &statement, std::string text) {
  scopes.push_back({{statement.names[0], Value::of(std::move(text))}});
  Result<Value> value = evaluate(statement.expressions[0]);
  scopes.pop_back();
  return value;
}

Status Interpreter::set(const Statement &statement) {
  Result<Value> value = Value();
  if (!statement.expressions.empty()) {
    value = evaluate(statement.expressions[0]);
  } else {
    Result<std::string> text = captured(statement.body);
    if (!text.ok())
      return text.status();
    value = statement.otherwise.empty() ? Value::of(std::move(*text)) : filterBlock(statement.otherwise[0], std::move(*text));
  }
  if (!value.ok())
    return value.status();
  if (statement.attribute.empty())
    return bind(statement, std::move(*value));
  Dictionary *space = lookUp(statement.names[0]).space();
  if (!space)
    return refuse(statement.line, "'" + statement.names[0] + "' is no namespace");
  if (value->space())
    return refuse(statement.line, "a namespace inside another is not supported");
  space->set(statement.attribute, std::move(*value));
  return {};
}

Status Interpreter::with(const Statement &statement) {
  Dictionary scope;
  for (size_t i = 0; i < statement.names.size(); ++i) {
    Result<Value> value = evaluate(statement.expressions[i]);
    if (!value.ok())
      return value.status();
    scope.set(statement.names[i], std::move(*value));
  }
  scopes.push_back(std::move(scope));
  Status status = run(statement.body);
  scopes.pop_back();
  return status;
}

Status Interpreter::bind(const Statement &statement, Value value) {
  const std::vector<std::string> &names = statement.names;
  if (names.size() == 1) {
    scopes.back().set(names[0], std::move(value));
    return {};
  }
  const List *parts = value.list();
  if (!parts || parts->size() != names.size())
    return refuse(statement.line, "expected " + std::to_string(names.size()) + " values, got " +
                                      (parts ? std::to_string(parts->size()) : std::string(value.kind())));
  for (size_t i = 0; i < names.size(); ++i)
    scopes.back().set(names[i], (*parts)[i]);
  return {};
}

/// The items for which the loop's condition holds.
Result<List> Interpreter::filtered(const Statement &statement, List items) {
  if (statement.expressions.size() < 2)
    return items;
  List kept;
  for (const Value &item : items) {
    MOEC_RETURN_IF_ERROR(bind(statement, item));
    Result<Value> condition = evaluate(statement.expressions[1]);
    if (!condition.ok())
      return condition.status();
    if (condition->isTrue())
      kept.push_back(item);
  }
  return kept;
}

Status Interpreter::turn(const Statement &statement, const List &items, size_t i) {
  MOEC_RETURN_IF_ERROR(spend(statement.line));
  scopes.back().clear();
  scopes.back().set("loop", Value::of(Dictionary{{"index", Value::of(int64_t(i + 1))},
                                                 {"index0", Value::of(int64_t(i))},
                                                 {"revindex", Value::of(int64_t(items.size() - i))},
                                                 {"revindex0", Value::of(int64_t(items.size() - i - 1))},
                                                 {"first", Value::of(i == 0)},
                                                 {"last", Value::of(i + 1 == items.size())},
                                                 {"length", Value::of(int64_t(items.size()))},
                                                 {"previtem", i ? items[i - 1] : Value()},
                                                 {"nextitem", i + 1 < items.size() ? items[i + 1] : Value()}}));
  MOEC_RETURN_IF_ERROR(bind(statement, items[i]));
  return run(statement.body);
}

Status Interpreter::loop(const Statement &statement) {
  Result<Value> iterated = evaluate(statement.expressions[0]);
  if (!iterated.ok())
    return iterated.status();
  Result<List> elements = elementsOf(*iterated, budget);
  if (!elements.ok())
    return atLine(statement.line, elements.status());

  scopes.emplace_back();
  elements = filtered(statement, std::move(*elements));
  Status status = elements.status();
  for (size_t i = 0; status.ok() && i < elements->size(); ++i) {
    status = turn(statement, *elements, i);
    if (std::exchange(leaving, Leaving::nothing) == Leaving::loop)
      break;
  }
  scopes.pop_back();
  MOEC_RETURN_IF_ERROR(status);
  return elements->empty() ? run(statement.otherwise) : Status();
}
