// What a chat template may call: filters, tests and string methods, over values alone.
#include "runtime/chat/Functions.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::chat;

namespace {
constexpr std::string_view spaces = " \t\n\r\f\v";

std::string strip(const std::string &text, std::string_view characters, bool left, bool right) {
  size_t begin = left ? text.find_first_not_of(characters) : 0;
  if (begin == std::string::npos)
    return {};
  size_t end = right ? text.find_last_not_of(characters) + 1 : text.size();
  return end > begin ? text.substr(begin, end - begin) : std::string();
}

std::string mapAscii(std::string text, char from, char to, int shift) {
  for (char &c : text)
    if (c >= from && c <= to)
      c = char(c + shift);
  return text;
}
std::string lower(const std::string &text) { return mapAscii(text, 'A', 'Z', 32); }
std::string upper(const std::string &text) { return mapAscii(text, 'a', 'z', -32); }
std::string capitalized(const std::string &text) {
  return upper(text.substr(0, 1)) + lower(text.substr(std::min<size_t>(1, text.size())));
}

std::string replaced(const std::string &text, const std::string &from, const std::string &to) {
  if (from.empty())
    return text;
  std::string result;
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != std::string::npos; at = found + from.size())
    result.append(text, at, found - at).append(to);
  return result.append(text, at);
}

/// Pieces between separators; without one, words.
List split(const std::string &text, const std::string *separator) {
  List pieces;
  size_t at = 0;
  if (!separator) {
    while ((at = text.find_first_not_of(spaces, at)) != std::string::npos) {
      size_t end = std::min(text.find_first_of(spaces, at), text.size());
      pieces.push_back(Value::of(text.substr(at, end - at)));
      at = end;
    }
    return pieces;
  }
  for (size_t found; (found = text.find(*separator, at)) != std::string::npos; at = found + separator->size())
    pieces.push_back(Value::of(text.substr(at, found - at)));
  pieces.push_back(Value::of(text.substr(at)));
  return pieces;
}

size_t lengthOf(const Value &value) {
  if (const std::string *text = value.string()) // in characters
    return size_t(std::ranges::count_if(*text, [](char c) { return (c & 0xc0) != 0x80; }));
  if (const List *list = value.list())
    return list->size();
  return value.dictionary() ? value.dictionary()->size() : 0;
}

List itemsOf(const Dictionary &entries) {
  List items;
  for (const auto &[key, value] : entries)
    items.push_back(Value::of(List{Value::of(key), value}));
  return items;
}

Status wrongKind(const std::string &what, const Value &value) {
  return Status::invalidData("'" + what + "' cannot take " + value.kind());
}
const std::string *stringAt(std::span<const Value> arguments, size_t i) {
  return i < arguments.size() ? arguments[i].string() : nullptr;
}
} // namespace

Result<Value> moec::runtime::chat::applyFilter(const std::string &name, const Value &value, std::span<const Value> arguments) {
  if (name == "default" || name == "d") {
    bool orFalse = arguments.size() > 1 && arguments[1].isTrue();
    bool missing = value.isUndefined() || (orFalse && !value.isTrue());
    return missing ? (arguments.empty() ? Value::of(std::string()) : arguments[0]) : value;
  }
  if (name == "tojson")
    return Value::of(value.json());
  if (name == "string")
    return Value::of(value.text());
  if (name == "safe" || name == "list")
    return value;
  if (name == "length" || name == "count") {
    if (!value.string() && !value.list() && !value.dictionary())
      return wrongKind(name, value);
    return Value::of(int64_t(lengthOf(value)));
  }
  if (const std::string *text = value.string()) {
    if (name == "trim")
      return Value::of(strip(*text, spaces, true, true));
    if (name == "upper")
      return Value::of(upper(*text));
    if (name == "lower")
      return Value::of(lower(*text));
    if (name == "capitalize")
      return Value::of(capitalized(*text));
    if (name == "replace" && stringAt(arguments, 0) && stringAt(arguments, 1))
      return Value::of(replaced(*text, *stringAt(arguments, 0), *stringAt(arguments, 1)));
  }
  if (Dictionary *entries = value.dictionary(); entries && name == "items")
    return Value::of(itemsOf(*entries));
  if (List *list = value.list()) {
    if (name == "first")
      return list->empty() ? Value() : list->front();
    if (name == "last")
      return list->empty() ? Value() : list->back();
    if (name == "join") {
      const std::string *separator = stringAt(arguments, 0);
      std::string result;
      for (size_t i = 0; i < list->size(); ++i)
        result += (i && separator ? *separator : std::string()) + (*list)[i].text();
      return Value::of(result);
    }
  }
  for (const char *known : {"trim", "upper", "lower", "capitalize", "replace", "items", "first", "last", "join"})
    if (name == known)
      return wrongKind(name, value);
  return Status::invalidData("the filter '" + name + "' is not supported");
}

Result<Value> moec::runtime::chat::applyTest(const std::string &name, const Value &value, std::span<const Value> arguments) {
  bool result;
  if (name == "defined")
    result = !value.isUndefined();
  else if (name == "undefined")
    result = value.isUndefined();
  else if (name == "none")
    result = value.isNone();
  else if (name == "string")
    result = value.string();
  else if (name == "mapping")
    result = value.dictionary();
  else if (name == "sequence" || name == "iterable")
    result = value.string() || value.list() || value.dictionary();
  else if (name == "number" || name == "integer")
    result = value.integer();
  else if (name == "boolean")
    result = value.truth();
  else if (name == "true" || name == "false")
    result = value.truth() && *value.truth() == (name == "true");
  else if (name == "equalto" && arguments.size() == 1)
    result = value == arguments[0];
  else
    return Status::invalidData("the test '" + name + "' is not supported");
  return Value::of(result);
}

Result<Value> moec::runtime::chat::callMethod(const Value &object, const std::string &name, std::span<const Value> arguments) {
  if (const std::string *text = object.string()) {
    const std::string *first = stringAt(arguments, 0), *second = stringAt(arguments, 1);
    std::string_view characters = first ? std::string_view(*first) : spaces;
    if (name == "strip" || name == "lstrip" || name == "rstrip")
      return Value::of(strip(*text, characters, name != "rstrip", name != "lstrip"));
    if (name == "split")
      return first && first->empty() ? Result<Value>(Status::invalidData("'split' at an empty text"))
                                     : Value::of(split(*text, first));
    if (name == "startswith" && first)
      return Value::of(text->starts_with(*first));
    if (name == "endswith" && first)
      return Value::of(text->ends_with(*first));
    if (name == "replace" && first && second)
      return Value::of(replaced(*text, *first, *second));
    if (name == "upper")
      return Value::of(upper(*text));
    if (name == "lower")
      return Value::of(lower(*text));
    if (name == "capitalize")
      return Value::of(capitalized(*text));
  }
  if (Dictionary *entries = object.dictionary()) {
    if (name == "items")
      return Value::of(itemsOf(*entries));
    if (name == "get" && stringAt(arguments, 0)) {
      Value found = object.member(*stringAt(arguments, 0));
      return found.isUndefined() ? (arguments.size() > 1 ? arguments[1] : Value::none()) : found;
    }
    if (name == "keys") {
      List keys;
      for (const auto &entry : *entries)
        keys.push_back(Value::of(entry.first));
      return Value::of(std::move(keys));
    }
  }
  return Status::invalidData(std::string("the method '") + name + "' of " + object.kind() + " is not supported");
}
