// The values of a chat template.
#include "runtime/chat/Value.h"

#include "runtime/tokenizer/Utf8.h"

#include <charconv>
#include <cmath>
#include <cstdio>

using namespace moec::runtime;
using namespace moec::runtime::chat;

const Value *Dictionary::find(std::string_view key) const {
  auto found = std::ranges::find(*this, key, &value_type::first);
  return found == end() ? nullptr : &found->second;
}

void Dictionary::set(const std::string &key, Value value) {
  auto found = std::ranges::find(*this, key, &value_type::first);
  if (found != end())
    found->second = std::move(value);
  else
    emplace_back(key, std::move(value));
}

Value Value::of(List value) {
  int depth = 0;
  for (const Value &each : value)
    depth = std::max(depth, each.depth());
  return Value(Storage(std::make_shared<Shared<List>>(std::move(value), depth + 1)));
}

Value Value::of(Dictionary value) {
  int depth = 0;
  for (const auto &entry : value)
    depth = std::max(depth, entry.second.depth());
  return Value(Storage(std::make_shared<Shared<Dictionary>>(std::move(value), depth + 1)));
}

int Value::depth() const {
  if (auto *shared = std::get_if<std::shared_ptr<Shared<List>>>(&storage))
    return (*shared)->depth;
  auto *shared = std::get_if<std::shared_ptr<Shared<Dictionary>>>(&storage);
  return shared ? (*shared)->depth : 0;
}

Dictionary *Value::space() const {
  auto *shared = std::get_if<std::shared_ptr<Namespace>>(&storage);
  return shared ? &(*shared)->members : nullptr;
}

std::optional<int64_t> Value::whole() const {
  if (const bool *value = truth())
    return *value;
  return integer() ? std::optional(*integer()) : std::nullopt;
}

std::optional<double> Value::number() const {
  if (const double *value = fraction())
    return *value;
  std::optional<int64_t> value = whole();
  return value ? std::optional(double(*value)) : std::nullopt;
}

bool Value::isTrue() const {
  if (std::optional<double> value = number())
    return *value != 0;
  if (const std::string *value = string())
    return !value->empty();
  if (const List *value = list())
    return !value->empty();
  if (const Dictionary *value = dictionary())
    return !value->empty();
  return space();
}

const char *Value::kind() const {
  static const char *const names[] = {"an undefined value", "none",   "a truth value", "an integer", "a fraction",
                                      "a string",           "a list", "a dictionary",  "a namespace"};
  return names[storage.index()];
}

/// As Python's repr of a float.
static std::string written(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value < 0 ? "-inf" : "inf";
  char digits[64];
  double size = std::abs(value);
  auto format = size != 0 && (size < 1e-4 || size >= 1e16) ? std::chars_format::scientific : std::chars_format::fixed;
  std::string text(digits, std::to_chars(digits, digits + sizeof digits, value, format).ptr);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

namespace {
/// Writes a value as Python's repr or as JSON, until the budget ends.
class Writer {
public:
  Writer(const Value::Json *json, Budget &budget) : json(json), budget(budget) {}

  void write(const Value &value, int64_t indent = 0) {
    if (out.size() > Budget::maxText || !budget.spend())
      return;
    if (value.isUndefined())
      out += json ? "null" : "Undefined";
    else if (value.isNone())
      out += json ? "null" : "None";
    else if (const bool *truth = value.truth())
      out += json ? (*truth ? "true" : "false") : (*truth ? "True" : "False");
    else if (const int64_t *integer = value.integer())
      out += std::to_string(*integer);
    else if (const double *fraction = value.fraction())
      out += written(*fraction);
    else if (const std::string *text = value.string())
      json ? writeJson(*text) : writePython(*text);
    else if (const List *list = value.list())
      writeAll(*list, "[]", indent, [&](const Value &each, int64_t inside) { write(each, inside); });
    else
      writeMembers(value.dictionary() ? *value.dictionary() : *value.space(), indent);
  }
  std::string out;

private:
  void writeMembers(const Dictionary &members, int64_t indent) {
    auto entry = [&](const std::pair<std::string, Value> &member, int64_t inside) {
      write(Value::of(member.first), inside);
      out += json ? json->colon : ": ";
      write(member.second, inside);
    };
    if (!json || !json->sorted)
      return writeAll(members, "{}", indent, entry);
    Dictionary sorted = members;
    std::ranges::sort(sorted, {}, &std::pair<std::string, Value>::first);
    writeAll(sorted, "{}", indent, entry);
  }

  template <typename Items, typename Each>
  void writeAll(const Items &items, std::string_view brackets, int64_t indent, const Each &each) {
    bool lines = json && json->indent && !items.empty();
    int64_t inside = lines ? indent + *json->indent : 0;
    auto newLine = [&](int64_t spaces) { out.append("\n").append(size_t(spaces), ' '); };
    out += brackets[0];
    for (size_t i = 0; i < items.size() && !budget.isSpent(); ++i) {
      if (i)
        out += json ? json->comma : ", ";
      if (lines)
        newLine(inside);
      each(items[i], inside);
    }
    if (lines)
      newLine(indent);
    out += brackets[1];
  }

  void escape(const char *format, unsigned code) {
    char text[16];
    std::snprintf(text, sizeof text, format, code);
    out += text;
  }

  void writeJson(std::string_view text) {
    out += '"';
    while (!text.empty()) {
      Utf8Character character = firstCharacter(text);
      char c = text[0];
      static constexpr std::string_view escaped = "\"\\\n\r\t\b\f", letters = "\"\\nrtbf";
      if (size_t i = escaped.find(c); i != std::string_view::npos)
        out += {'\\', letters[i]};
      else if (static_cast<unsigned char>(c) < 0x20)
        escape("\\u%04x", static_cast<unsigned>(c));
      else if (!json->ascii || !character.valid || character.code < 0x7f)
        out += text.substr(0, character.length);
      else if (character.code < 0x10000)
        escape("\\u%04x", character.code);
      else
        for (unsigned half : {0xd800 + ((character.code - 0x10000) >> 10), 0xdc00 + ((character.code - 0x10000) & 0x3ff)})
          escape("\\u%04x", half);
      text.remove_prefix(character.length);
    }
    out += '"';
  }

  void writePython(std::string_view text) {
    char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
    out += quote;
    for (char c : text) {
      static constexpr std::string_view escaped = "\\\n\r\t", letters = "\\nrt";
      if (size_t i = escaped.find(c); i != std::string_view::npos)
        out += {'\\', letters[i]};
      else if (c == quote)
        out += {'\\', c};
      else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        escape("\\x%02x", static_cast<unsigned>(c));
      else
        out += c;
    }
    out += quote;
  }

  const Value::Json *json;
  Budget &budget;
};
} // namespace

std::string Value::text(Budget &budget) const {
  if (const std::string *value = string())
    return *value;
  if (isUndefined())
    return {};
  Writer writer(nullptr, budget);
  writer.write(*this);
  return std::move(writer.out);
}

std::string Value::json(const Json &style, Budget &budget) const {
  Writer writer(&style, budget);
  writer.write(*this);
  return std::move(writer.out);
}

bool Value::equals(const Value &other, Budget &budget) const {
  if (!budget.spend())
    return false;
  if (std::optional<double> left = number())
    return left == other.number();
  if (storage.index() != other.storage.index())
    return false;
  if (const std::string *text = string())
    return *text == *other.string();
  if (const List *items = list())
    return std::ranges::equal(*items, *other.list(), [&](const Value &a, const Value &b) { return a.equals(b, budget); });
  if (const Dictionary *entries = dictionary())
    return entries->size() == other.dictionary()->size() && std::ranges::all_of(*entries, [&](const auto &entry) {
             Value match = other.member(entry.first);
             return (!match.isUndefined() || entry.second.isUndefined()) && entry.second.equals(match, budget);
           });
  return !space() || space() == other.space();
}

Value Value::member(std::string_view key) const {
  const Dictionary *entries = dictionary() ? dictionary() : space();
  const Value *found = entries ? entries->find(key) : nullptr;
  return found ? *found : Value();
}
