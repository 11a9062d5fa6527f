// Tests of a chat template: what stands behind `is`.
#include "runtime/chat/Functions.h"
#include "runtime/chat/Operators.h"
#include "runtime/chat/Text.h"

using namespace moec::runtime;
using namespace moec::runtime::chat;

Result<Value> moec::runtime::chat::applyTest(const std::string &name, const Value &value, const Arguments &arguments,
                                             Budget &budget) {
  Value other = arguments.get(0, "other");
  static constexpr std::pair<std::string_view, const char *> comparisons[] = {
      {"equalto", "=="}, {"eq", "=="}, {"ne", "!="},         {"lt", "<"},  {"lessthan", "<"},
      {"le", "<="},      {"gt", ">"},  {"greaterthan", ">"}, {"ge", ">="}, {"in", "in"}};
  for (auto [test, operation] : comparisons)
    if (name == test && arguments.positional.size() == 1) {
      Result<bool> holds = compare(operation, value, other, budget);
      return holds.ok() ? Result<Value>(Value::of(*holds)) : holds.status();
    }
  const std::string *text = value.string();
  bool result;
  if (name == "defined")
    result = !value.isUndefined();
  else if (name == "undefined")
    result = value.isUndefined();
  else if (name == "none")
    result = value.isNone();
  else if (name == "string")
    result = text;
  else if (name == "mapping")
    result = value.dictionary();
  else if (name == "sequence" || name == "iterable")
    result = text || value.list() || value.dictionary() || value.isUndefined();
  else if (name == "number")
    result = value.number().has_value();
  else if (name == "integer")
    result = value.integer();
  else if (name == "float")
    result = value.fraction();
  else if (name == "boolean")
    result = value.truth();
  else if (name == "true" || name == "false")
    result = value.truth() && *value.truth() == (name == "true");
  else if (name == "sameas" && arguments.positional.size() == 1)
    result = std::string_view(value.kind()) == other.kind() && value.equals(other, budget);
  else if ((name == "even" || name == "odd") && value.whole())
    result = (*value.whole() % 2 != 0) == (name == "odd");
  else if (name == "divisibleby" && value.whole() && other.whole() && *other.whole() != 0 && *other.whole() != -1)
    result = *value.whole() % *other.whole() == 0;
  else if (name == "lower" && text)
    result = lower(*text) == *text && upper(*text) != *text;
  else if (name == "upper" && text)
    result = upper(*text) == *text && lower(*text) != *text;
  else
    return Status::invalidData("the test '" + name + "' is not supported");
  return Value::of(result);
}
