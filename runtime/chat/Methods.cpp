// Methods of strings and dictionaries in a chat template.
#include "runtime/chat/Functions.h"
#include "runtime/chat/Text.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::chat;

Value Arguments::get(size_t i, std::string_view name) const {
  if (i < positional.size())
    return positional[i];
  const Value *found = named.find(name);
  return found ? *found : Value();
}

Status Arguments::expect(size_t most, std::initializer_list<std::string_view> names) const {
  if (positional.size() > most)
    return Status::invalidData("expected at most " + std::to_string(most) + " arguments, got " + std::to_string(positional.size()));
  for (const auto &entry : named)
    if (std::ranges::find(names, entry.first) == names.end())
      return Status::invalidData("the argument '" + entry.first + "' is not supported");
  return {};
}

static std::optional<std::string> optionalText(const Value &value) {
  return value.string() ? std::optional(*value.string()) : std::nullopt;
}

static Value listOf(std::vector<std::string> texts) {
  List list;
  for (std::string &text : texts)
    list.push_back(Value::of(std::move(text)));
  return Value::of(std::move(list));
}

/// How often `part` is in `text`, not overlapping.
static int64_t occurrences(std::string_view text, std::string_view part) {
  int64_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size())
    ++count;
  return count;
}

/// startswith and endswith, which also take a tuple.
static bool matchesAny(const Value &affixes, const auto &matches) {
  if (const std::string *affix = affixes.string())
    return matches(*affix);
  return affixes.list() &&
         std::ranges::any_of(*affixes.list(), [&](const Value &each) { return each.string() && matches(*each.string()); });
}

/// Undefined when strings have no such method.
static Result<Value> callString(const std::string &text, const std::string &name, const Arguments &arguments, Budget &budget) {
  Value first = arguments.get(0, "sep"), second = arguments.get(1, "maxsplit");
  std::optional<std::string> argument = optionalText(first);
  if (name == "strip" || name == "lstrip" || name == "rstrip")
    return Value::of(strip(text, argument, name != "rstrip", name != "lstrip"));
  if (name == "split" || name == "rsplit") {
    if (argument && argument->empty())
      return Status::invalidData("'" + name + "' at an empty text");
    if (!argument && name == "rsplit")
      return Status::invalidData("'rsplit' at whitespace is not supported");
    if (!budget.spend(argument ? size_t(occurrences(text, *argument)) : text.size() / 2))
      return Status::resourceExhausted("'" + name + "' makes too many pieces");
    return listOf(split(text, argument, second.whole().value_or(-1), name == "rsplit"));
  }
  if (name == "splitlines" && !budget.spend(size_t(occurrences(text, "\n") + occurrences(text, "\r"))))
    return Status::resourceExhausted("'splitlines' makes too many pieces");
  if (name == "splitlines")
    return listOf(splitLines(text));
  if (name == "startswith")
    return Value::of(matchesAny(first, [&](const std::string &affix) { return text.starts_with(affix); }));
  if (name == "endswith")
    return Value::of(matchesAny(first, [&](const std::string &affix) { return text.ends_with(affix); }));
  if (name == "removeprefix" && argument)
    return Value::of(text.starts_with(*argument) ? text.substr(argument->size()) : text);
  if (name == "removesuffix" && argument)
    return Value::of(text.ends_with(*argument) ? text.substr(0, text.size() - argument->size()) : text);
  if (name == "replace" && argument && second.string()) {
    int64_t count = arguments.get(2, "count").whole().value_or(-1);
    if (!budget.spendBytes((text.size() + 1) * (second.string()->size() + 1) / (argument->size() + 1)))
      return Status::resourceExhausted("'replace' makes too long a text");
    return Value::of(replace(text, *argument, *second.string(), count));
  }
  if (name == "find" && argument) {
    size_t found = text.find(*argument);
    return Value::of(found == std::string::npos ? int64_t(-1) : int64_t(length(std::string_view(text).substr(0, found))));
  }
  if (name == "count" && argument && !argument->empty())
    return Value::of(occurrences(text, *argument));
  if (name == "upper")
    return Value::of(upper(text));
  if (name == "lower")
    return Value::of(lower(text));
  if (name == "capitalize")
    return Value::of(capitalize(text));
  if (name == "title")
    return Value::of(title(text));
  if (name == "isdigit")
    return Value::of(!text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }));
  if (name == "join" && first.list())
    return applyFilter("join", first, {{Value::of(text)}, {}}, budget);
  return Value();
}

/// Undefined when dictionaries have no such method.
static Result<Value> callDictionary(const Value &object, const std::string &name, const Arguments &arguments) {
  if (name == "get" && arguments.get(0, "key").string()) {
    Value found = object.member(*arguments.get(0, "key").string()), otherwise = arguments.get(1, "default");
    return !found.isUndefined() ? found : otherwise.isUndefined() ? Value::none() : otherwise;
  }
  if (name != "items" && name != "keys" && name != "values")
    return Value();
  List list;
  for (const auto &[key, value] : *object.dictionary())
    list.push_back(name == "keys" ? Value::of(key) : name == "values" ? value : Value::of(List{Value::of(key), value}));
  return Value::of(std::move(list));
}

Result<Value> moec::runtime::chat::callMethod(const Value &object, const std::string &name, const Arguments &arguments,
                                              Budget &budget) {
  Result<Value> result = Value();
  if (const std::string *text = object.string())
    result = callString(*text, name, arguments, budget);
  else if (object.dictionary())
    result = callDictionary(object, name, arguments);
  if (result.ok() && result->isUndefined())
    return Status::invalidData("the method '" + name + "' of " + object.kind() + " is not supported");
  return result;
}
