// Evaluates the expressions of a chat template, within bounds.
#include "runtime/chat/Interpreter.h"
#include "runtime/chat/Lexer.h"
#include "runtime/chat/Operators.h"

#include <ctime>

using namespace moec::runtime;
using namespace moec::runtime::chat;
using Kind = Expression::Kind;

Result<Value> Interpreter::evaluate(const Expression &expression) {
  MOEC_RETURN_IF_ERROR(spend(expression.line));
  ++nesting;
  Result<Value> value = evaluateKind(expression);
  --nesting;
  if (!value.ok())
    return atLine(expression.line, value.status());
  // Copies cost what they hold; what is nested too deep could not be printed, compared or freed.
  if (const std::string *text = value->string())
    budget.spendBytes(text->size());
  if (budget.isSpent())
    return spend(expression.line);
  constexpr int maxDepth = 64;
  if (value->depth() > maxDepth)
    return refuse(expression.line, "lists and dictionaries nested more than " + std::to_string(maxDepth) + " deep");
  return value;
}

Result<Value> Interpreter::evaluateKind(const Expression &expression) {
  switch (expression.kind) {
  case Kind::constant:
    return expression.value;
  case Kind::name:
    return lookUp(expression.text);
  case Kind::conditional: {
    Result<Value> condition = evaluate(expression.operands[1]);
    return condition.ok() ? evaluate(expression.operands[condition->isTrue() ? 0 : 2]) : condition;
  }
  case Kind::comparison:
    return comparison(expression);
  case Kind::call:
    return call(expression);
  case Kind::filter:
  case Kind::test: {
    Result<Value> value = evaluate(expression.operands[0]);
    if (!value.ok())
      return value;
    Result<Arguments> given = arguments(expression, 1);
    if (!given.ok())
      return given.status();
    return expression.kind == Kind::filter ? applyFilter(expression.text, *value, *given, budget)
                                           : applyTest(expression.text, *value, *given, budget);
  }
  default:
    break;
  }
  if (expression.kind == Kind::binary && (expression.text == "and" || expression.text == "or"))
    return logical(expression);
  List values;
  for (const Expression &operand : expression.operands) {
    Result<Value> value = evaluate(operand);
    if (!value.ok())
      return value;
    values.push_back(std::move(*value));
  }
  return combine(expression, values);
}

/// What an expression makes of its operands' values.
Result<Value> Interpreter::combine(const Expression &expression, const List &values) {
  switch (expression.kind) {
  case Kind::list:
  case Kind::dictionary:
    for (const Value &value : values)
      if (value.space())
        return Status::invalidData("a namespace in a list or dictionary is not supported");
    if (expression.kind == Kind::list)
      return Value::of(values);
    {
      Dictionary entries;
      for (size_t i = 0; i < values.size(); i += 2)
        entries.set(values[i].text(budget), values[i + 1]);
      return Value::of(std::move(entries));
    }
  case Kind::attribute:
    if (values[0].isUndefined())
      return Status::invalidData("'" + expression.text + "' of an undefined value");
    return values[0].member(expression.text);
  case Kind::item:
    return itemOf(values[0], values[1], budget);
  case Kind::slice:
    return sliceOf(values[0], values[1], values[2], values[3], budget);
  case Kind::binary:
    return applyOperator(expression.text, values[0], values[1], budget);
  case Kind::unary:
    if (expression.text == "not")
      return Value::of(!values[0].isTrue());
    if (values[0].number())
      return applyOperator(expression.text, Value::of(int64_t(0)), values[0], budget);
    return Status::invalidData("'" + expression.text + "' cannot take " + values[0].kind());
  default:
    return Status::invalidData("an expression that is not supported");
  }
}

Result<Value> Interpreter::logical(const Expression &expression) {
  Result<Value> left = evaluate(expression.operands[0]);
  if (!left.ok() || left->isTrue() == (expression.text == "or"))
    return left;
  return evaluate(expression.operands[1]);
}

Result<Value> Interpreter::comparison(const Expression &expression) {
  Result<Value> left = evaluate(expression.operands[0]);
  for (size_t i = 0; left.ok() && i < expression.keywords.size(); ++i) {
    Result<Value> right = evaluate(expression.operands[i + 1]);
    if (!right.ok())
      return right;
    Result<bool> holds = compare(expression.keywords[i], *left, *right, budget);
    if (!holds.ok())
      return holds.status();
    if (!*holds)
      return Value::of(false);
    left = std::move(right);
  }
  return left.ok() ? Value::of(true) : left;
}

Result<Arguments> Interpreter::arguments(const Expression &expression, size_t from) {
  Arguments result;
  size_t named = expression.operands.size() - expression.keywords.size();
  for (size_t i = from; i < expression.operands.size(); ++i) {
    Result<Value> value = evaluate(expression.operands[i]);
    if (!value.ok())
      return value.status();
    if (i < named)
      result.positional.push_back(std::move(*value));
    else
      result.named.set(expression.keywords[i - named], std::move(*value));
  }
  return result;
}

Result<Value> Interpreter::call(const Expression &expression) {
  const Expression &callee = expression.operands[0];
  Result<Arguments> given = arguments(expression, 1);
  if (!given.ok())
    return given.status();
  if (callee.kind == Kind::attribute) {
    Result<Value> object = evaluate(callee.operands[0]);
    if (!object.ok())
      return object;
    if (object->isUndefined())
      return Status::invalidData("'" + callee.text + "' of an undefined value");
    return callMethod(*object, callee.text, *given, budget);
  }
  if (callee.kind != Kind::name)
    return Status::invalidData("a call of what has no name");
  if (auto macro = macros.find(callee.text); macro != macros.end())
    return callMacro(*macro->second, *given);
  return callFunction(callee.text, *given);
}

Result<Value> Interpreter::callMacro(const Statement &macro, const Arguments &given) {
  if (given.positional.size() > macro.names.size())
    return Status::invalidData("macro '" + macro.text + "' takes " + std::to_string(macro.names.size()) + " arguments, got " +
                               std::to_string(given.positional.size()));
  for (const auto &entry : given.named)
    if (std::ranges::find(macro.names, entry.first) == macro.names.end())
      return Status::invalidData("macro '" + macro.text + "' has no parameter '" + entry.first + "'");
  size_t defaults = macro.names.size() - macro.expressions.size();
  size_t outerFrame = std::exchange(frame, scopes.size());
  scopes.emplace_back();
  Status status;
  for (size_t i = 0; status.ok() && i < macro.names.size(); ++i) {
    Result<Value> value = given.get(i, macro.names[i]);
    if (value->isUndefined() && i >= defaults)
      value = evaluate(macro.expressions[i - defaults]);
    status = value.status();
    if (status.ok())
      scopes.back().set(macro.names[i], std::move(*value));
  }
  Result<std::string> text = status.ok() ? captured(macro.body) : Result<std::string>(status);
  leaving = Leaving::nothing;
  scopes.pop_back();
  frame = outerFrame;
  if (!text.ok())
    return text.status();
  return Value::of(std::move(*text));
}

Result<Value> Interpreter::range(const Arguments &given) {
  const List &bounds = given.positional;
  if (bounds.empty() || bounds.size() > 3 || !std::ranges::all_of(bounds, [](const Value &bound) { return bound.integer(); }))
    return Status::invalidData("'range' expects one to three integers");
  int64_t begin = bounds.size() > 1 ? *bounds[0].integer() : 0, end = *bounds[bounds.size() > 1].integer();
  int64_t step = bounds.size() > 2 ? *bounds[2].integer() : 1;
  constexpr int64_t most = 1'000'000;
  if (step == 0 || std::max({std::abs(begin / 2), std::abs(end / 2), std::abs(step / 2)}) > most / 2)
    return Status::invalidData("'range' expects at most " + std::to_string(most) + " numbers");
  List numbers;
  for (int64_t i = begin; step < 0 ? i > end : i < end; i += step) {
    if (!budget.spend())
      return Status::resourceExhausted("more than " + std::to_string(Budget::maxSteps) + " steps");
    numbers.push_back(Value::of(i));
  }
  return Value::of(std::move(numbers));
}

Result<Value> Interpreter::callFunction(const std::string &name, const Arguments &given) {
  if (name == "namespace") {
    for (const auto &entry : given.named)
      if (entry.second.space())
        return Status::invalidData("a namespace inside another is not supported");
    return Value::makeNamespace(given.named);
  }
  if (name == "dict")
    return Value::of(given.named);
  if (name == "range")
    return range(given);
  if (name == "raise_exception")
    return Status::invalidArgument("the template refuses the messages: " + given.get(0, "message").text(budget));
  if (name == "strftime_now" && given.get(0, "format").string()) {
    std::time_t now = std::time(nullptr);
    std::tm local{};
    char text[256];
    size_t length =
        localtime_r(&now, &local) ? std::strftime(text, sizeof text, given.get(0, "format").string()->c_str(), &local) : 0;
    return Value::of(std::string(text, length));
  }
  return Status::invalidData("the function '" + name + "' is not supported");
}
