// The values of a chat template.
#ifndef MOEC_RUNTIME_CHAT_VALUE_H
#define MOEC_RUNTIME_CHAT_VALUE_H

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moec::runtime::chat {

class Value;
using List = std::vector<Value>;
/// In the order of insertion, as Jinja prints them.
using Dictionary = std::vector<std::pair<std::string, Value>>;

/// Undefined, none, a truth, an integer, a string, a list or a dictionary. Lists and dictionaries are shared, as in Python.
class Value {
public:
  struct Undefined {};
  struct None {};
  Value() = default;
  static Value none() { return Value(Storage(None{})); }
  static Value of(bool value) { return Value(Storage(value)); }
  static Value of(int64_t value) { return Value(Storage(value)); }
  static Value of(std::string value) { return Value(Storage(std::move(value))); }
  static Value of(List value) { return Value(Storage(std::make_shared<List>(std::move(value)))); }
  static Value of(Dictionary value) { return Value(Storage(std::make_shared<Dictionary>(std::move(value)))); }

  bool isUndefined() const { return std::holds_alternative<Undefined>(storage); }
  bool isNone() const { return std::holds_alternative<None>(storage); }
  const bool *truth() const { return std::get_if<bool>(&storage); }
  const int64_t *integer() const { return std::get_if<int64_t>(&storage); }
  const std::string *string() const { return std::get_if<std::string>(&storage); }
  List *list() const { return get<List>(); }
  Dictionary *dictionary() const { return get<Dictionary>(); }

  /// Python's idea of truth.
  bool isTrue() const;
  /// What `{{ value }}` prints.
  std::string text() const;
  /// The value as JSON, with Python's separators.
  std::string json() const;
  bool operator==(const Value &other) const;
  /// A dictionary's member; undefined when there is none.
  Value member(std::string_view key) const;
  const char *kind() const;

private:
  using Storage = std::variant<Undefined, None, bool, int64_t, std::string, std::shared_ptr<List>, std::shared_ptr<Dictionary>>;
  explicit Value(Storage storage) : storage(std::move(storage)) {}
  template <typename T> T *get() const {
    const std::shared_ptr<T> *shared = std::get_if<std::shared_ptr<T>>(&storage);
    return shared ? shared->get() : nullptr;
  }
  std::string represent(bool asJson) const;
  Storage storage;
};

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_VALUE_H
