// Operators of a chat template, as Python has them.
#include "runtime/chat/Operators.h"

#include "runtime/tokenizer/Utf8.h"

#include <cmath>

using namespace moec::runtime;
using namespace moec::runtime::chat;

static Status cannotTake(const std::string &operation, const Value &left, const Value &right) {
  return Status::invalidData("'" + operation + "' cannot take " + left.kind() + " and " + right.kind());
}

static Result<Value> arithmetic(const std::string &operation, int64_t a, int64_t b) {
  int64_t result = 0;
  bool fails = false;
  if (operation == "+")
    fails = __builtin_add_overflow(a, b, &result);
  else if (operation == "-")
    fails = __builtin_sub_overflow(a, b, &result);
  else if (operation == "*")
    fails = __builtin_mul_overflow(a, b, &result);
  else if (b == 0 || (b == -1 && a == INT64_MIN))
    fails = true;
  else if (operation == "//")
    result = a / b - (a % b != 0 && (a < 0) != (b < 0));
  else if (operation == "%")
    result = (a % b + b) % b;
  else
    return Value::of(double(a) / double(b));
  if (fails)
    return Status::invalidData("'" + operation + "' of " + std::to_string(a) + " and " + std::to_string(b));
  return Value::of(result);
}

static Result<Value> arithmetic(const std::string &operation, double a, double b) {
  if (operation == "+")
    return Value::of(a + b);
  if (operation == "-")
    return Value::of(a - b);
  if (operation == "*")
    return Value::of(a * b);
  if (b == 0)
    return Status::invalidData("'" + operation + "' by 0");
  if (operation == "/")
    return Value::of(a / b);
  double floor = std::floor(a / b);
  return Value::of(operation == "//" ? floor : a - floor * b);
}

/// A string as often as an integer says.
static Result<Value> repeated(const std::string &text, int64_t count) {
  if (count <= 0 || text.empty())
    return Value::of(std::string());
  if (uint64_t(count) > Budget::maxText / text.size())
    return Status::resourceExhausted("'*' makes more than " + std::to_string(Budget::maxText) + " bytes");
  std::string result;
  for (int64_t i = 0; i < count; ++i)
    result += text;
  return Value::of(std::move(result));
}

Result<Value> moec::runtime::chat::applyOperator(const std::string &operation, const Value &left, const Value &right,
                                                 Budget &budget) {
  if (operation == "~")
    return Value::of(left.text(budget) + right.text(budget));
  if (std::optional<int64_t> a = left.whole(), b = right.whole(); a && b)
    return arithmetic(operation, *a, *b);
  if (std::optional<double> a = left.number(), b = right.number(); a && b)
    return arithmetic(operation, *a, *b);
  if (operation == "+") {
    if (const std::string *a = left.string(), *b = right.string(); a && b)
      return Value::of(*a + *b);
    if (const List *a = left.list(), *b = right.list(); a && b) {
      if (!budget.spend(a->size() + b->size()))
        return Status::resourceExhausted("'+' of long lists");
      List joined = *a;
      joined.insert(joined.end(), b->begin(), b->end());
      return Value::of(std::move(joined));
    }
  }
  if (operation == "*" && left.string() && right.whole())
    return repeated(*left.string(), *right.whole());
  if (operation == "*" && right.string() && left.whole())
    return repeated(*right.string(), *left.whole());
  return cannotTake(operation, left, right);
}

static Result<bool> contains(const Value &needle, const Value &haystack, Budget &budget) {
  if (haystack.isUndefined())
    return false;
  if (const List *list = haystack.list())
    return std::ranges::any_of(*list, [&](const Value &each) { return each.equals(needle, budget); });
  if (const std::string *key = needle.string()) {
    if (const std::string *text = haystack.string())
      return text->find(*key) != std::string::npos;
    if (const Dictionary *entries = haystack.dictionary())
      return entries->find(*key) != nullptr;
  }
  if (haystack.dictionary())
    return false;
  return cannotTake("in", needle, haystack);
}

Result<bool> moec::runtime::chat::compare(const std::string &operation, const Value &left, const Value &right, Budget &budget) {
  if (operation == "==" || operation == "!=")
    return left.equals(right, budget) == (operation == "==");
  if (operation == "in" || operation == "not in") {
    Result<bool> found = contains(left, right, budget);
    return found.ok() ? Result<bool>(*found == (operation == "in")) : found;
  }
  auto ordered = [&](const auto &a, const auto &b) {
    return operation == "<" ? a < b : operation == "<=" ? a <= b : operation == ">" ? a > b : a >= b;
  };
  if (std::optional<int64_t> a = left.whole(), b = right.whole(); a && b)
    return ordered(*a, *b);
  if (std::optional<double> a = left.number(), b = right.number(); a && b)
    return ordered(*a, *b);
  if (const std::string *a = left.string(), *b = right.string(); a && b)
    return ordered(*a, *b);
  return cannotTake(operation, left, right);
}

static List charactersOf(std::string_view text) {
  List characters;
  while (!text.empty()) {
    size_t length = firstCharacter(text).length;
    characters.push_back(Value::of(std::string(text.substr(0, length))));
    text.remove_prefix(length);
  }
  return characters;
}

Result<List> moec::runtime::chat::elementsOf(const Value &value, Budget &budget) {
  if (value.isUndefined())
    return List();
  size_t count = value.list() ? value.list()->size() : value.string() ? value.string()->size() : 0;
  if (!budget.spend(count))
    return Status::resourceExhausted("too many elements to go through");
  if (const List *list = value.list())
    return *list;
  if (const std::string *text = value.string())
    return charactersOf(*text);
  if (const Dictionary *entries = value.dictionary()) {
    List keys;
    for (const auto &entry : *entries)
      keys.push_back(Value::of(entry.first));
    return keys;
  }
  return Status::invalidData(std::string("cannot go through ") + value.kind());
}

Result<Value> moec::runtime::chat::itemOf(const Value &object, const Value &key, Budget &budget) {
  if (object.isUndefined())
    return Status::invalidData("an item of an undefined value");
  if (const std::string *name = key.string())
    return object.member(*name);
  std::optional<int64_t> index = key.whole();
  if (!index || (!object.list() && !object.string()))
    return Value();
  auto at = [&](const List &elements) {
    int64_t size = int64_t(elements.size()), i = *index < 0 ? *index + size : *index;
    return i >= 0 && i < size ? elements[size_t(i)] : Value();
  };
  if (object.list())
    return at(*object.list());
  Result<List> characters = elementsOf(object, budget);
  return characters.ok() ? Result<Value>(at(*characters)) : characters.status();
}

Result<Value> moec::runtime::chat::sliceOf(const Value &object, const Value &begin, const Value &end, const Value &stride,
                                           Budget &budget) {
  if (!object.list() && !object.string())
    return Status::invalidData(std::string("a slice cannot take ") + object.kind());
  for (const Value *bound : {&begin, &end, &stride})
    if (!bound->isNone() && !bound->whole())
      return Status::invalidData(std::string("a slice's bound cannot be ") + bound->kind());
  Result<List> elements = elementsOf(object, budget);
  if (!elements.ok())
    return elements.status();
  int64_t size = int64_t(elements->size()), step = stride.whole().value_or(1);
  if (step == 0)
    return Status::invalidData("a slice's step cannot be 0");
  step = std::clamp(step, -size - 1, size + 1);
  auto bound = [&](const Value &value, int64_t otherwise) {
    if (!value.whole())
      return otherwise;
    int64_t index = *value.whole() < 0 ? *value.whole() + size : *value.whole();
    return std::clamp(index, step < 0 ? int64_t(-1) : int64_t(0), step < 0 ? size - 1 : size);
  };
  List result;
  int64_t first = bound(begin, step < 0 ? size - 1 : 0), last = bound(end, step < 0 ? -1 : size);
  for (int64_t i = first; step < 0 ? i > last : i < last; i += step)
    result.push_back((*elements)[size_t(i)]);
  if (object.list())
    return Value::of(std::move(result));
  std::string text;
  for (const Value &character : result)
    text += *character.string();
  return Value::of(std::move(text));
}
