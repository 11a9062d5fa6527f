// nlohmann's event parser, which does not recurse, behind a handler that builds values and enforces the rules the parser leaves
// open.
#include "importers/json/StrictJson.h"
#include "importers/Refusal.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

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

namespace {

/// Builds the value from the parser's events. Every event answers whether to go on; when not, `problem` says why.
class Builder {
public:
  explicit Builder(const Limits &limits) : limits(limits) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(int64_t value) { return add(value); }
  bool number_unsigned(uint64_t value) {
    return value <= INT64_MAX ? add(static_cast<int64_t>(value)) : add(static_cast<double>(value));
  }
  bool number_float(double value, const std::string &spelling) {
    return std::isfinite(value) ? add(value) : stop("number " + spelling + " is out of range");
  }
  bool string(std::string &value) { return add(std::move(value)); }
  bool binary(std::vector<uint8_t> &) { return stop("unexpected binary value"); }
  bool start_object(size_t) { return open(Object()); }
  bool start_array(size_t) { return open(Array()); }
  bool key(std::string &value) {
    containers.back()->object()->push_back({std::move(value), Value()});
    return true;
  }
  bool end_array() {
    containers.pop_back();
    return true;
  }
  bool end_object() {
    if (const std::string *twice = repeatedKey(*containers.back()->object()))
      return stop("key '" + *twice + "' is given twice");
    containers.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &error) {
    // The library's text: "[its code] parse error at line 1, column 2: what is wrong; last read: the raw input".
    StringRef text = StringRef(error.what()).split("; last read").first;
    size_t start = text.find("syntax error");
    text = start == StringRef::npos ? text.split("] ").second : text.substr(start);
    return stop("byte " + std::to_string(position) + ": " + text.take_front(200).str(), /*atPath=*/false);
  }

  Value take() { return std::move(root); }
  std::string problem;

private:
  bool add(Value::Storage storage) { return place(std::move(storage)) != nullptr; }

  bool open(Value::Storage storage) {
    if (containers.size() == limits.depth)
      return stop("nested deeper than " + std::to_string(limits.depth) + " levels");
    Value *value = place(std::move(storage));
    if (value)
      containers.push_back(value);
    return value;
  }

  /// Puts a value where the parser stands: at the top, at an array's end, or behind the object's last key. Pointers into
  /// `containers` stay valid because only the innermost container grows.
  Value *place(Value::Storage storage) {
    if (++count > limits.values) {
      stop("more than " + std::to_string(limits.values) + " values");
      return nullptr;
    }
    if (containers.empty())
      return &(root = Value(std::move(storage)));
    if (Array *array = containers.back()->array())
      return &array->emplace_back(std::move(storage));
    return &(containers.back()->object()->back().value = Value(std::move(storage)));
  }

  bool stop(std::string why, bool atPath = true) {
    problem = atPath ? path() + std::move(why) : std::move(why);
    return false;
  }

  /// "model.vocab[3]: " for where the parser stands.
  std::string path() const {
    std::string text;
    for (const Value *value : containers) {
      if (const Object *members = value->object(); members && !members->empty() && value != containers.back())
        text += (text.empty() ? "" : ".") + members->back().key;
      else if (const Array *array = value->array(); array && value != containers.back())
        text += "[" + std::to_string(array->size() - 1) + "]";
    }
    return text.empty() ? text : text + ": ";
  }

  static const std::string *repeatedKey(const Object &members) {
    std::vector<const std::string *> keys;
    keys.reserve(members.size());
    for (const Member &member : members)
      keys.push_back(&member.key);
    std::sort(keys.begin(), keys.end(), [](auto *a, auto *b) { return *a < *b; });
    auto twice = std::adjacent_find(keys.begin(), keys.end(), [](auto *a, auto *b) { return *a == *b; });
    return twice == keys.end() ? nullptr : *twice;
  }

  const Limits &limits;
  size_t count = 0;
  Value root;
  std::vector<Value *> containers;
};

} // namespace

llvm::Expected<Value> moec::importers::json::parse(StringRef text, StringRef name, const Limits &limits) {
  if (text.size() > limits.bytes)
    return refuse(name + ": expected at most " + llvm::Twine(limits.bytes) + " bytes of JSON, got " + llvm::Twine(text.size()));
  if (text.starts_with("\xef\xbb\xbf"))
    return refuse(name + ": expected JSON, got a byte order mark");
  // The library takes a NUL for the end of its input.
  if (size_t nul = text.find('\0'); nul != StringRef::npos)
    return refuse(name + ": byte " + llvm::Twine(nul + 1) + ": unexpected NUL");
  Builder builder(limits);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder))
    return refuse(name + ": " + builder.problem);
  return builder.take();
}

llvm::Expected<Value> moec::importers::json::parseFile(StringRef path, const Limits &limits) {
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(path, status))
    return refuse(path + ": " + error.message());
  if (!llvm::sys::fs::is_regular_file(status))
    return refuse(path + ": expected a regular file");
  if (status.getSize() > limits.bytes)
    return refuse(path + ": expected at most " + llvm::Twine(limits.bytes) + " bytes of JSON, got " +
                  llvm::Twine(status.getSize()));
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return refuse(path + ": " + buffer.getError().message());
  return parse((*buffer)->getBuffer(), path, limits);
}
