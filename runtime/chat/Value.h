// The values of a chat template.
#ifndef MOEC_RUNTIME_CHAT_VALUE_H
#define MOEC_RUNTIME_CHAT_VALUE_H

#include "runtime/chat/Budget.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moec::runtime::chat {

class Value;
using List = std::vector<Value>;
/// In the order of insertion, as Jinja prints them.
struct Dictionary : std::vector<std::pair<std::string, Value>> {
  using vector::vector;
  /// The value of `key`, or null.
  const Value *find(std::string_view key) const;
  void set(const std::string &key, Value value);
};

/// Undefined, none, a truth, a number, a string, a list, a dictionary or a namespace. The last three are shared, as in Python; only
/// a namespace changes.
class Value {
public:
  struct Undefined {};
  struct None {};
  Value() = default;
  static Value none() { return Value(Storage(None{})); }
  static Value of(bool value) { return Value(Storage(value)); }
  static Value of(int64_t value) { return Value(Storage(value)); }
  static Value of(double value) { return Value(Storage(value)); }
  static Value of(std::string value) { return Value(Storage(std::move(value))); }
  static Value of(List value);
  static Value of(Dictionary value);
  static Value makeNamespace(Dictionary members) { return Value(Storage(std::make_shared<Namespace>(std::move(members)))); }

  bool isUndefined() const { return std::holds_alternative<Undefined>(storage); }
  bool isNone() const { return std::holds_alternative<None>(storage); }
  const bool *truth() const { return std::get_if<bool>(&storage); }
  const int64_t *integer() const { return std::get_if<int64_t>(&storage); }
  const std::string *string() const { return std::get_if<std::string>(&storage); }
  const double *fraction() const { return std::get_if<double>(&storage); }
  /// An integer, a fraction, or a truth as 0 or 1.
  std::optional<double> number() const;
  /// An integer, or a truth as 0 or 1.
  std::optional<int64_t> whole() const;
  const List *list() const { return get<List>(); }
  const Dictionary *dictionary() const { return get<Dictionary>(); }
  /// The members of a namespace.
  Dictionary *space() const;

  /// Python's idea of truth.
  bool isTrue() const;
  /// What `{{ value }}` prints; cut off where the budget ends.
  std::string text(Budget &budget) const;
  /// The value as Python's json.dumps writes it.
  struct Json {
    std::optional<int64_t> indent;
    std::string comma = ", ", colon = ": ";
    bool ascii = false, sorted = false;
  };
  std::string json(const Json &style, Budget &budget) const;
  bool equals(const Value &other, Budget &budget) const;
  /// A dictionary's or namespace's member; undefined when there is none.
  Value member(std::string_view key) const;
  /// How deep lists and dictionaries lie in each other.
  int depth() const;
  const char *kind() const;

private:
  template <typename T> struct Shared {
    T items;
    int depth;
  };
  struct Namespace {
    Dictionary members;
  };
  using Storage = std::variant<Undefined, None, bool, int64_t, double, std::string, std::shared_ptr<Shared<List>>,
                               std::shared_ptr<Shared<Dictionary>>, std::shared_ptr<Namespace>>;
  explicit Value(Storage storage) : storage(std::move(storage)) {}
  template <typename T> const T *get() const {
    const std::shared_ptr<Shared<T>> *shared = std::get_if<std::shared_ptr<Shared<T>>>(&storage);
    return shared ? &(*shared)->items : nullptr;
  }
  Storage storage;
};

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_VALUE_H
