// The values of a chat template.
#include "runtime/chat/Value.h"

#include <algorithm>
#include <cstdio>

using namespace moec::runtime::chat;

bool Value::isTrue() const {
  if (const bool *value = truth())
    return *value;
  if (const int64_t *value = integer())
    return *value != 0;
  if (const std::string *value = string())
    return !value->empty();
  if (List *value = list())
    return !value->empty();
  if (Dictionary *value = dictionary())
    return !value->empty();
  return false;
}

const char *Value::kind() const {
  static const char *const names[] = {"an undefined value", "none",   "a truth value", "an integer",
                                      "a string",           "a list", "a dictionary"};
  return names[storage.index()];
}

static std::string quoted(const std::string &text, char quote) {
  std::string result(1, quote);
  for (char c : text) {
    switch (c) {
    case '\n':
      result += "\\n";
      break;
    case '\t':
      result += "\\t";
      break;
    case '\r':
      result += "\\r";
      break;
    default:
      if (c == quote || c == '\\')
        result += '\\';
      if (quote == '"' && static_cast<unsigned char>(c) < 0x20) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", c);
        result += escape;
      } else {
        result += c;
      }
    }
  }
  return result + quote;
}

/// As Python's repr, or as JSON: what stands inside lists and dictionaries.
std::string Value::represent(bool asJson) const {
  if (isUndefined())
    return asJson ? "null" : "Undefined";
  if (isNone())
    return asJson ? "null" : "None";
  if (const bool *value = truth())
    return asJson ? (*value ? "true" : "false") : (*value ? "True" : "False");
  if (const int64_t *value = integer())
    return std::to_string(*value);
  if (const std::string *value = string())
    return quoted(*value, asJson || (value->find('\'') != std::string::npos && value->find('"') == std::string::npos) ? '"' : '\'');
  std::string result;
  if (List *value = list()) {
    for (const Value &each : *value)
      result += (result.empty() ? "" : ", ") + each.represent(asJson);
    return "[" + result + "]";
  }
  for (const auto &[key, each] : *dictionary())
    result += (result.empty() ? "" : ", ") + Value::of(key).represent(asJson) + ": " + each.represent(asJson);
  return "{" + result + "}";
}

std::string Value::text() const {
  if (const std::string *value = string())
    return *value;
  return isUndefined() ? std::string() : represent(false);
}

std::string Value::json() const { return represent(true); }

bool Value::operator==(const Value &other) const {
  if (storage.index() != other.storage.index())
    return false;
  if (List *value = list())
    return *value == *other.list();
  if (Dictionary *value = dictionary())
    return value->size() == other.dictionary()->size() &&
           std::ranges::all_of(*value, [&](const auto &entry) { return entry.second == other.member(entry.first); });
  if (const bool *value = truth())
    return *value == *other.truth();
  if (const int64_t *value = integer())
    return *value == *other.integer();
  if (const std::string *value = string())
    return *value == *other.string();
  return true;
}

Value Value::member(std::string_view key) const {
  if (Dictionary *entries = dictionary())
    for (const auto &[name, value] : *entries)
      if (name == key)
        return value;
  return {};
}
