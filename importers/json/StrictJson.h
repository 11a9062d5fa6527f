// JSON as values, for files small enough to be held as such.
#ifndef MOEC_IMPORTERS_JSON_STRICTJSON_H
#define MOEC_IMPORTERS_JSON_STRICTJSON_H

#include "importers/json/Reader.h"

#include <variant>
#include <vector>

namespace moec::importers::json {

class Value;
struct Member;
using Array = std::vector<Value>;
/// Members in the file's order; no key occurs twice.
using Object = std::vector<Member>;

/// A parsed value. The accessors answer null or nothing when the value is of another kind, so that the caller says what it
/// expected.
class Value {
public:
  using Storage = std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object>;
  Value();
  Value(Storage storage);

  bool isNull() const { return std::holds_alternative<std::nullptr_t>(storage); }
  std::optional<bool> boolean() const { return copyOf<bool>(); }
  /// A number written without fraction and exponent that fits.
  std::optional<int64_t> integer() const { return copyOf<int64_t>(); }
  /// Any number.
  std::optional<double> number() const;
  const std::string *string() const { return std::get_if<std::string>(&storage); }
  const Array *array() const { return std::get_if<Array>(&storage); }
  const Object *object() const { return std::get_if<Object>(&storage); }

  /// The object's member of that name; null when there is none or this is no object. Takes time linear in the members.
  const Value *find(llvm::StringRef key) const;
  /// "an object", "a string", ...: what the value is, for messages.
  llvm::StringRef kind() const;

private:
  template <typename T> std::optional<T> copyOf() const {
    const T *value = std::get_if<T>(&storage);
    return value ? std::optional<T>(*value) : std::nullopt;
  }
  Storage storage;
};

struct Member {
  std::string key;
  Value value;
};

inline Value::Value() = default;
inline Value::Value(Storage storage) : storage(std::move(storage)) {}

/// Parses `text` as a reader goes through it, under the same rules.
llvm::Expected<Value> parse(llvm::StringRef text, llvm::StringRef name, const Limits &limits = {});

} // namespace moec::importers::json

#endif // MOEC_IMPORTERS_JSON_STRICTJSON_H
