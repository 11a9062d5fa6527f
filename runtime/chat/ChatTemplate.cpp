// Interprets the syntax tree of a chat template, within bounds.
#include "runtime/chat/ChatTemplate.h"

#include "runtime/chat/Functions.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::chat;

namespace {
constexpr int64_t maxSteps = 1'000'000;
constexpr size_t maxOutput = 16 << 20;

class Interpreter {
public:
  explicit Interpreter(Dictionary globals) { scopes.push_back(std::move(globals)); }

  Status run(const std::vector<Statement> &statements) {
    for (const Statement &statement : statements) {
      MOEC_RETURN_IF_ERROR(execute(statement));
      if (leaving != Leaving::nothing)
        break;
    }
    return {};
  }
  std::string output;

private:
  enum class Leaving { nothing, turn, loop };

  Status refuse(int line, const std::string &why) const {
    return Status::invalidData("chat template, line " + std::to_string(line) + ": " + why);
  }
  Status at(int line, const Status &status) const {
    return status.ok() || status.message().starts_with("chat template") ? status : refuse(line, status.message());
  }
  Status count(int line) {
    if (++steps > maxSteps)
      return Status::resourceExhausted("chat template, line " + std::to_string(line) + ": more than " + std::to_string(maxSteps) +
                                       " steps");
    if (output.size() > maxOutput)
      return Status::resourceExhausted("chat template, line " + std::to_string(line) + ": more than " + std::to_string(maxOutput) +
                                       " bytes of text");
    return {};
  }

  Value lookUp(std::string_view name) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
      for (const auto &[key, value] : *scope)
        if (key == name)
          return value;
    return {};
  }
  static void assign(Dictionary &scope, const std::string &name, Value value) {
    auto found = std::ranges::find(scope, name, &std::pair<std::string, Value>::first);
    if (found != scope.end())
      found->second = std::move(value);
    else
      scope.emplace_back(name, std::move(value));
  }

  Status execute(const Statement &statement) {
    MOEC_RETURN_IF_ERROR(count(statement.line));
    switch (statement.kind) {
    case Statement::Kind::text:
      output += statement.text;
      return {};
    case Statement::Kind::output: {
      Result<Value> value = evaluate(statement.expressions[0]);
      if (!value.ok())
        return value.status();
      output += value->text();
      return {};
    }
    case Statement::Kind::branch: {
      Result<Value> condition = evaluate(statement.expressions[0]);
      if (!condition.ok())
        return condition.status();
      return run(condition->isTrue() ? statement.body : statement.otherwise);
    }
    case Statement::Kind::loop:
      return loop(statement);
    case Statement::Kind::set:
      return set(statement);
    case Statement::Kind::stop:
      leaving = Leaving::loop;
      return {};
    case Statement::Kind::next:
      leaving = Leaving::turn;
      return {};
    }
    return {};
  }

  Status set(const Statement &statement) {
    Value value;
    if (statement.expressions.empty()) {
      std::string before = std::exchange(output, {});
      Status status = run(statement.body);
      value = Value::of(std::exchange(output, std::move(before)));
      MOEC_RETURN_IF_ERROR(status);
    } else {
      Result<Value> evaluated = evaluate(statement.expressions[0]);
      if (!evaluated.ok())
        return evaluated.status();
      value = std::move(*evaluated);
    }
    if (!statement.attribute.empty()) {
      Dictionary *object = lookUp(statement.names[0]).dictionary();
      if (!object)
        return refuse(statement.line, "'" + statement.names[0] + "' is no namespace");
      assign(*object, statement.attribute, std::move(value));
      return {};
    }
    return bind(statement, statement.names, std::move(value));
  }

  Status bind(const Statement &statement, const std::vector<std::string> &names, Value value) {
    if (names.size() == 1) {
      assign(scopes.back(), names[0], std::move(value));
      return {};
    }
    const List *parts = value.list();
    if (!parts || parts->size() != names.size())
      return refuse(statement.line, "expected " + std::to_string(names.size()) + " values, got " + value.kind());
    for (size_t i = 0; i < names.size(); ++i)
      assign(scopes.back(), names[i], (*parts)[i]);
    return {};
  }

  Status loop(const Statement &statement) {
    Result<Value> iterated = evaluate(statement.expressions[0]);
    if (!iterated.ok())
      return iterated.status();
    List items;
    if (List *list = iterated->list())
      items = *list;
    else if (Dictionary *entries = iterated->dictionary())
      for (const auto &entry : *entries)
        items.push_back(Value::of(entry.first));
    else if (!iterated->isUndefined())
      return refuse(statement.line, std::string("cannot go through ") + iterated->kind());

    scopes.emplace_back();
    Status status;
    if (statement.expressions.size() > 1) {
      List kept;
      for (const Value &item : items) {
        if (status = bind(statement, statement.names, item); !status.ok())
          break;
        Result<Value> condition = evaluate(statement.expressions[1]);
        if (status = condition.status(); !status.ok())
          break;
        if (condition->isTrue())
          kept.push_back(item);
      }
      items = std::move(kept);
    }
    for (size_t i = 0; status.ok() && i < items.size(); ++i) {
      if (status = count(statement.line); !status.ok())
        break;
      scopes.back().clear();
      assign(scopes.back(), "loop",
             Value::of(Dictionary{{"index", Value::of(int64_t(i + 1))},
                                  {"index0", Value::of(int64_t(i))},
                                  {"revindex", Value::of(int64_t(items.size() - i))},
                                  {"revindex0", Value::of(int64_t(items.size() - i - 1))},
                                  {"first", Value::of(i == 0)},
                                  {"last", Value::of(i + 1 == items.size())},
                                  {"length", Value::of(int64_t(items.size()))},
                                  {"previtem", i ? items[i - 1] : Value()},
                                  {"nextitem", i + 1 < items.size() ? items[i + 1] : Value()}}));
      status = bind(statement, statement.names, items[i]);
      if (status.ok())
        status = run(statement.body);
      if (std::exchange(leaving, Leaving::nothing) == Leaving::loop)
        break;
    }
    scopes.pop_back();
    MOEC_RETURN_IF_ERROR(status);
    return items.empty() ? run(statement.otherwise) : Status();
  }

  /// Values of operands [from, to).
  Result<List> evaluateAll(const Expression &expression, size_t from, size_t to) {
    List values;
    for (size_t i = from; i < to; ++i) {
      Result<Value> value = evaluate(expression.operands[i]);
      if (!value.ok())
        return value.status();
      values.push_back(std::move(*value));
    }
    return values;
  }

  Result<Value> evaluate(const Expression &expression) {
    MOEC_RETURN_IF_ERROR(count(expression.line));
    Result<Value> value = evaluateKind(expression);
    return value.ok() ? value : Result<Value>(at(expression.line, value.status()));
  }

  Result<Value> evaluateKind(const Expression &expression) {
    using Kind = Expression::Kind;
    switch (expression.kind) {
    case Kind::constant:
      return expression.value;
    case Kind::name:
      return lookUp(expression.text);
    case Kind::conditional: {
      Result<Value> condition = evaluate(expression.operands[1]);
      if (!condition.ok())
        return condition;
      return evaluate(expression.operands[condition->isTrue() ? 0 : 2]);
    }
    case Kind::binary:
      return binary(expression);
    case Kind::call:
      return call(expression);
    default:
      break;
    }
    Result<List> operands = evaluateAll(expression, 0, expression.operands.size());
    if (!operands.ok())
      return operands.status();
    const List &values = *operands;
    switch (expression.kind) {
    case Kind::list:
      return Value::of(values);
    case Kind::dictionary: {
      Dictionary entries;
      for (size_t i = 0; i < values.size(); i += 2)
        assign(entries, values[i].text(), values[i + 1]);
      return Value::of(std::move(entries));
    }
    case Kind::attribute:
      if (values[0].isUndefined())
        return Status::invalidData("'" + expression.text + "' of an undefined value");
      return values[0].member(expression.text);
    case Kind::item:
      return item(values[0], values[1]);
    case Kind::slice:
      return slice(values);
    case Kind::filter: {
      if (!expression.keywords.empty() && expression.text != "tojson")
        return Status::invalidData("named arguments of the filter '" + expression.text + "' are not supported");
      return applyFilter(expression.text, values[0], std::span(values).subspan(1));
    }
    case Kind::test:
      return applyTest(expression.text, values[0], std::span(values).subspan(1));
    case Kind::unary:
      if (expression.text == "not")
        return Value::of(!values[0].isTrue());
      if (const int64_t *number = values[0].integer(); number && *number != INT64_MIN)
        return Value::of(-*number);
      return Status::invalidData(std::string("'-' cannot take ") + values[0].kind());
    default:
      return Status::invalidData("an expression that is not supported");
    }
  }

  static Result<Value> item(const Value &object, const Value &key) {
    if (object.isUndefined())
      return Status::invalidData("an item of an undefined value");
    if (const std::string *name = key.string())
      return object.member(*name);
    const int64_t *index = key.integer();
    if (!index)
      return Status::invalidData(std::string("expected a string or an integer in [], got ") + key.kind());
    if (List *list = object.list()) {
      int64_t size = int64_t(list->size()), i = *index < 0 ? *index + size : *index;
      return i >= 0 && i < size ? (*list)[size_t(i)] : Value();
    }
    return Status::invalidData(std::string("[] cannot take ") + object.kind());
  }

  static Result<Value> slice(const List &values) {
    List *list = values[0].list();
    if (!list)
      return Status::invalidData(std::string("a slice cannot take ") + values[0].kind());
    int64_t size = int64_t(list->size()), step = values[3].integer() ? *values[3].integer() : 1;
    if (step == 0 || step < -size - 1 || step > size + 1)
      step = step < 0 ? -size - 1 : size + 1;
    auto bound = [&](const Value &value, int64_t otherwise) {
      if (!value.integer())
        return otherwise;
      int64_t index = *value.integer() < 0 ? *value.integer() + size : *value.integer();
      return std::clamp(index, step < 0 ? int64_t(-1) : int64_t(0), step < 0 ? size - 1 : size);
    };
    List result;
    int64_t begin = bound(values[1], step < 0 ? size - 1 : 0), end = bound(values[2], step < 0 ? -1 : size);
    for (int64_t i = begin; step < 0 ? i > end : i < end; i += step)
      result.push_back((*list)[size_t(i)]);
    return Value::of(std::move(result));
  }

  Result<Value> binary(const Expression &expression) {
    Result<Value> left = evaluate(expression.operands[0]);
    if (!left.ok())
      return left;
    const std::string &operation = expression.text;
    if (operation == "and" || operation == "or")
      return left->isTrue() == (operation == "or") ? left : evaluate(expression.operands[1]);
    Result<Value> right = evaluate(expression.operands[1]);
    if (!right.ok())
      return right;
    if (operation == "==")
      return Value::of(*left == *right);
    if (operation == "!=")
      return Value::of(!(*left == *right));
    if (operation == "~")
      return Value::of(left->text() + right->text());
    if (operation == "in")
      return contains(*left, *right);
    if (const int64_t *a = left->integer(), *b = right->integer(); a && b)
      return arithmetic(operation, *a, *b);
    if (const std::string *a = left->string(), *b = right->string(); a && b) {
      if (operation == "+")
        return Value::of(*a + *b);
      if (operation == "<" || operation == ">" || operation == "<=" || operation == ">=")
        return Value::of(operation == "<" ? *a < *b : operation == ">" ? *a > *b : operation == "<=" ? *a <= *b : *a >= *b);
    }
    if (List *a = left->list(), *b = right->list(); a && b && operation == "+") {
      List joined = *a;
      joined.insert(joined.end(), b->begin(), b->end());
      return Value::of(std::move(joined));
    }
    return Status::invalidData("'" + operation + "' cannot take " + left->kind() + " and " + right->kind());
  }

  static Result<Value> contains(const Value &needle, const Value &haystack) {
    if (List *list = haystack.list())
      return Value::of(std::ranges::find(*list, needle) != list->end());
    if (const std::string *key = needle.string()) {
      if (const std::string *text = haystack.string())
        return Value::of(text->find(*key) != std::string::npos);
      if (Dictionary *entries = haystack.dictionary())
        return Value::of(std::ranges::find(*entries, *key, &std::pair<std::string, Value>::first) != entries->end());
    }
    return Status::invalidData(std::string("'in' cannot take ") + needle.kind() + " and " + haystack.kind());
  }

  static Result<Value> arithmetic(const std::string &operation, int64_t a, int64_t b) {
    if (operation == "<" || operation == ">" || operation == "<=" || operation == ">=")
      return Value::of(operation == "<" ? a < b : operation == ">" ? a > b : operation == "<=" ? a <= b : a >= b);
    int64_t result = 0;
    bool overflows = false;
    if (operation == "+")
      overflows = __builtin_add_overflow(a, b, &result);
    else if (operation == "-")
      overflows = __builtin_sub_overflow(a, b, &result);
    else if (operation == "*")
      overflows = __builtin_mul_overflow(a, b, &result);
    else if (b == 0 || (b == -1 && a == INT64_MIN))
      overflows = true;
    else if (operation == "//")
      result = a / b - (a % b != 0 && (a < 0) != (b < 0));
    else
      result = (a % b + b) % b;
    if (overflows)
      return Status::invalidData("'" + operation + "' of " + std::to_string(a) + " and " + std::to_string(b));
    return Value::of(result);
  }

  Result<Value> call(const Expression &expression) {
    const Expression &callee = expression.operands[0];
    size_t positional = expression.operands.size() - expression.keywords.size();
    Result<List> arguments = evaluateAll(expression, 1, expression.operands.size());
    if (!arguments.ok())
      return arguments.status();
    if (callee.kind == Expression::Kind::attribute) {
      Result<Value> object = evaluate(callee.operands[0]);
      if (!object.ok())
        return object;
      return callMethod(*object, callee.text, *arguments);
    }
    if (callee.kind != Expression::Kind::name)
      return Status::invalidData("a call of what has no name");
    if (callee.text == "namespace" || callee.text == "dict") {
      Dictionary members;
      for (size_t i = 0; i < expression.keywords.size(); ++i)
        assign(members, expression.keywords[i], (*arguments)[positional - 1 + i]);
      return Value::of(std::move(members));
    }
    if (callee.text == "range") {
      List &bounds = *arguments;
      if (bounds.empty() || bounds.size() > 2 || !std::ranges::all_of(bounds, [](const Value &bound) { return bound.integer(); }))
        return Status::invalidData("'range' expects one or two integers");
      int64_t begin = bounds.size() == 2 ? *bounds[0].integer() : 0, end = *bounds.back().integer();
      if (begin < -maxSteps || end > maxSteps)
        return Status::invalidData("'range' expects at most " + std::to_string(maxSteps) + " numbers");
      List numbers;
      for (int64_t i = begin; i < end; ++i) {
        MOEC_RETURN_IF_ERROR(count(expression.line));
        numbers.push_back(Value::of(i));
      }
      return Value::of(std::move(numbers));
    }
    if (callee.text == "raise_exception")
      return Status::invalidArgument("the template refuses the messages: " +
                                     (arguments->empty() ? std::string() : arguments->front().text()));
    return Status::invalidData("the function '" + callee.text + "' is not supported");
  }

  std::vector<Dictionary> scopes;
  int64_t steps = 0;
  Leaving leaving = Leaving::nothing;
};
} // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  Result<std::vector<Statement>> statements = parseTemplate(source);
  if (!statements.ok())
    return statements.status();
  return ChatTemplate(std::move(*statements));
}

Result<std::string> ChatTemplate::render(std::span<const Message> messages, const ChatContext &context) const {
  List list;
  for (const Message &message : messages)
    list.push_back(Value::of(Dictionary{{"role", Value::of(message.role)}, {"content", Value::of(message.content)}}));
  Interpreter interpreter({{"messages", Value::of(std::move(list))},
                           {"bos_token", Value::of(context.bosToken)},
                           {"eos_token", Value::of(context.eosToken)},
                           {"add_generation_prompt", Value::of(context.addGenerationPrompt)}});
  Status status = interpreter.run(statements);
  if (!status.ok())
    return status;
  return std::move(interpreter.output);
}
