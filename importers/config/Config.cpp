// Typed reading of an object's keys with one remembered problem.
#include "importers/config/Config.h"
#include "importers/Refusal.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace moec::importers;
using llvm::StringRef;
using llvm::Twine;

/// Equal as JSON: numbers by value, whatever their spelling.
static bool same(const json::Value &a, const json::Value &b) {
  if (a.number() && b.number())
    return a.integer() && b.integer() ? a.integer() == b.integer() : a.number() == b.number();
  if (a.string() && b.string())
    return *a.string() == *b.string();
  if (a.array() && b.array())
    return a.array()->size() == b.array()->size() && llvm::equal(*a.array(), *b.array(), same);
  if (a.object() && b.object())
    return a.object()->size() == b.object()->size() && llvm::all_of(*a.object(), [&](const json::Member &member) {
             const json::Value *other = b.find(member.key);
             return other && same(member.value, *other);
           });
  return (a.isNull() && b.isNull()) || (a.boolean() && a.boolean() == b.boolean());
}

std::string moec::importers::spelled(double number) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", number);
  return text;
}

std::string moec::importers::spelled(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (int64_t dim : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

/// The value as messages quote it.
static std::string quoted(const json::Value *value) {
  if (!value)
    return "nothing";
  if (std::optional<int64_t> integer = value->integer())
    return std::to_string(*integer);
  if (std::optional<double> number = value->number())
    return spelled(*number);
  if (std::optional<bool> boolean = value->boolean())
    return *boolean ? "true" : "false";
  if (const std::string *string = value->string())
    return "'" + StringRef(*string).take_front(80).str() + "'";
  return value->kind().str();
}

bool Config::has(StringRef key) const {
  return llvm::any_of(object, [&](const json::Member &member) { return member.key == key; });
}

void Config::requireGiven(llvm::ArrayRef<StringRef> keys) {
  for (StringRef key : keys)
    require(has(key), key + ": expected a value, got nothing");
}

const json::Value *Config::take(const Spelling &key) {
  const json::Value *found = nullptr;
  StringRef foundName;
  for (StringRef spelled : key.names) {
    auto member = llvm::find_if(object, [&](const json::Member &m) { return m.key == spelled; });
    if (member == object.end())
      continue;
    consumed.insert(spelled);
    if (found)
      require(same(*found, member->value),
              foundName + " (" + quoted(found) + ") and " + spelled + " (" + quoted(&member->value) + ") contradict each other");
    else
      found = &member->value, foundName = spelled;
  }
  return found;
}

std::string Config::called(StringRef text) const {
  std::string result;
  while (!text.empty()) {
    StringRef word = text.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
    result += names && names->contains(word) ? names->lookup(word) : word.str();
    text = text.drop_front(word.size());
    StringRef between = text.take_until([](char c) { return llvm::isAlnum(c) || c == '_'; });
    result += between;
    text = text.drop_front(between.size());
  }
  return result;
}

void Config::require(bool holds, const Twine &otherwise) {
  if (!holds && problem.empty())
    problem = name + ": " + called(otherwise.str());
}

Config Config::within(const json::Value &value, const Spelling &key) {
  return Config(*value.object(), name + ": " + called(key.names.front()), problem, names);
}

void Config::wrong(const Spelling &key, const Twine &expected, const json::Value *got) {
  require(false, key.names.front() + ": expected " + expected + ", got " + quoted(got));
}

int64_t Config::count(const Spelling &key, int64_t most, std::optional<int64_t> fallback, int64_t least) {
  const json::Value *value = take(key);
  std::optional<int64_t> integer = value ? value->integer() : fallback;
  if (integer && least <= *integer && *integer <= most)
    return *integer;
  std::string range = "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  if (value || !fallback)
    wrong(key, range, value);
  else
    require(false, key.names.front() + ": expected " + range + ", got nothing, which means " + Twine(*fallback));
  return std::max<int64_t>(least, 1);
}

std::optional<int64_t> Config::countOrNull(const Spelling &key, int64_t most, std::optional<int64_t> fallback, int64_t least) {
  const json::Value *value = take(key);
  if (value ? value->isNull() : !fallback)
    return std::nullopt;
  return count(key, most, fallback, least);
}

std::vector<int64_t> Config::counts(const Spelling &key, int64_t most) {
  const json::Value *value = take(key);
  if (!value || value->isNull())
    return {};
  if (!value->array()) {
    wrong(key, "a list of integers", value);
    return {};
  }
  std::vector<int64_t> result;
  for (const json::Value &element : *value->array()) {
    std::optional<int64_t> integer = element.integer();
    if (integer && *integer >= 0 && *integer <= most)
      result.push_back(*integer);
    else
      wrong(key, "integers from 0 to " + Twine(most), &element);
  }
  return result;
}

double Config::positive(const Spelling &key, std::optional<double> fallback) {
  const json::Value *value = take(key);
  if (!value && fallback)
    return *fallback;
  std::optional<double> number = value ? value->number() : std::nullopt;
  if (number && *number > 0)
    return *number;
  wrong(key, "a number greater than 0", value);
  return 1;
}

std::optional<double> Config::positiveOrNull(const Spelling &key) {
  const json::Value *value = take(key);
  if (!value || value->isNull())
    return std::nullopt;
  return positive(key);
}

double Config::nonNegative(const Spelling &key, std::optional<double> fallback) {
  const json::Value *value = take(key);
  if (fallback && (!value || value->isNull()))
    return *fallback;
  std::optional<double> number = value ? value->number() : std::nullopt;
  if (number && *number >= 0)
    return *number;
  wrong(key, "a number not below 0", value);
  return 0;
}

bool Config::flag(const Spelling &key, bool fallback) {
  const json::Value *value = take(key);
  if (!value)
    return fallback;
  if (std::optional<bool> boolean = value->boolean())
    return *boolean;
  wrong(key, "true or false", value);
  return fallback;
}

StringRef Config::choice(const Spelling &key, llvm::ArrayRef<StringRef> choices) {
  const json::Value *value = take(key);
  if (!value)
    return choices.front();
  if (value->string())
    if (auto chosen = llvm::find(choices, *value->string()); chosen != choices.end())
      return *chosen;
  wrong(key, "'" + llvm::join(choices, "' or '") + "'", value);
  return choices.front();
}

std::vector<StringRef> Config::choiceList(const Spelling &key, llvm::ArrayRef<StringRef> choices) {
  const json::Value *value = take(key);
  if (!value || value->isNull())
    return {};
  if (!value->array()) {
    wrong(key, "a list of words", value);
    return {};
  }
  std::vector<StringRef> result;
  for (const json::Value &element : *value->array())
    if (auto chosen = element.string() ? llvm::find(choices, *element.string()) : choices.end(); chosen != choices.end())
      result.push_back(*chosen);
    else
      wrong(key, "'" + llvm::join(choices, "' or '") + "'", &element);
  return result;
}

void Config::expect(const Spelling &key, const json::Value &only) {
  const json::Value *value = take(key);
  if (value && !same(*value, only))
    wrong(key, quoted(&only), value);
}

void Config::leaveAside(llvm::ArrayRef<StringRef> keys) {
  for (StringRef key : keys)
    consumed.insert(key);
}

void Config::checkConsumed() {
  for (const json::Member &member : object)
    require(consumed.contains(member.key), "unknown key '" + member.key + "': it may change what the model computes");
}

llvm::Error Config::finish() {
  checkConsumed();
  return problem.empty() ? llvm::Error::success() : refuse(problem);
}
