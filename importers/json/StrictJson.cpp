// Builds values from what a reader goes through.
#include "importers/json/StrictJson.h"

#include <algorithm>

using namespace moec::importers::json;
using llvm::StringRef;

std::optional<double> Value::number() const {
  if (std::optional<int64_t> whole = integer())
    return static_cast<double>(*whole);
  return copyOf<double>();
}

const Value *Value::find(StringRef key) const {
  const Object *members = object();
  if (!members)
    return nullptr;
  auto found = std::find_if(members->begin(), members->end(), [&](const Member &member) { return member.key == key; });
  return found == members->end() ? nullptr : &found->value;
}

StringRef Value::kind() const {
  constexpr StringRef kinds[] = {"null", "a boolean", "an integer", "a fraction", "a string", "an array", "an object"};
  return kinds[storage.index()];
}

/// The value that comes next; null when the reader has failed. Recursion is as deep as the reader allows.
static Value build(Reader &reader) {
  if (reader.beginObject()) {
    Object members;
    for (StringRef key; reader.nextMember(key);) {
      Member &member = members.emplace_back();
      member.key = key.str();
      member.value = build(reader);
    }
    return Value(std::move(members));
  }
  if (reader.beginArray()) {
    Array elements;
    while (reader.nextElement())
      elements.push_back(build(reader));
    return Value(std::move(elements));
  }
  if (std::optional<StringRef> text = reader.string())
    return Value(text->str());
  if (std::optional<int64_t> whole = reader.integer())
    return Value(*whole);
  if (std::optional<double> number = reader.fraction())
    return Value(*number);
  if (std::optional<bool> flag = reader.boolean())
    return Value(*flag);
  reader.null();
  return Value();
}

llvm::Expected<Value> moec::importers::json::parse(StringRef text, StringRef name, const Limits &limits) {
  Reader reader(text, name, limits);
  Value value = build(reader);
  if (llvm::Error error = reader.finish())
    return error;
  return value;
}
