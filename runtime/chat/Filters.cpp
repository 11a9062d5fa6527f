// Filters of a chat template: what stands behind `|`.
#include "runtime/chat/Functions.h"
#include "runtime/chat/Operators.h"
#include "runtime/chat/Text.h"

#include <charconv>
#include <cmath>

using namespace moec::runtime;
using namespace moec::runtime::chat;

namespace {
/// What filters get, under short names.
struct Call {
  const std::string &name;
  const Value &value;
  const Arguments &arguments;
  Budget &budget;

  Status wrongKind() const { return Status::invalidData("'" + name + "' cannot take " + value.kind()); }
  std::string text() const { return value.text(budget); }
};

Result<Value> toJson(const Call &call) {
  MOEC_RETURN_IF_ERROR(call.arguments.expect(2, {"indent", "ensure_ascii", "sort_keys", "separators"}));
  Value::Json style; // as in the Hugging Face library: tojson(ensure_ascii, indent, separators, sort_keys)
  style.ascii = call.arguments.get(0, "ensure_ascii").isTrue();
  style.indent = call.arguments.get(1, "indent").whole();
  style.sorted = call.arguments.get(4, "sort_keys").isTrue();
  if (style.indent) {
    style.comma = ",";
    if (*style.indent < 0 || *style.indent > 16)
      return Status::invalidData("'tojson' expects an indent in [0, 16]");
  }
  if (const List *separators = call.arguments.get(2, "separators").list();
      separators && separators->size() == 2 && (*separators)[0].string() && (*separators)[1].string()) {
    style.comma = *(*separators)[0].string();
    style.colon = *(*separators)[1].string();
  }
  return Value::of(call.value.json(style, call.budget));
}

Result<Value> toDefault(const Call &call) {
  bool orFalse = call.arguments.get(1, "boolean").isTrue();
  if (!call.value.isUndefined() && (!orFalse || call.value.isTrue()))
    return call.value;
  Value otherwise = call.arguments.get(0, "default_value");
  return otherwise.isUndefined() ? Value::of(std::string()) : otherwise;
}

Result<Value> toLength(const Call &call) {
  if (const std::string *text = call.value.string())
    return Value::of(int64_t(length(*text)));
  if (const List *list = call.value.list())
    return Value::of(int64_t(list->size()));
  if (const Dictionary *entries = call.value.dictionary())
    return Value::of(int64_t(entries->size()));
  return call.value.isUndefined() ? Result<Value>(Value::of(int64_t(0))) : call.wrongKind();
}

Result<Value> toInteger(const Call &call) {
  Value otherwise = call.arguments.get(0, "default");
  if (std::optional<double> number = call.value.number(); number && std::abs(*number) < 1e18)
    return call.value.whole() ? Value::of(*call.value.whole()) : Value::of(int64_t(*number));
  if (const std::string *text = call.value.string()) {
    std::string digits = strip(*text, std::nullopt, true, true);
    int64_t number = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size())
      return Value::of(number);
  }
  return otherwise.isUndefined() ? Value::of(int64_t(0)) : otherwise;
}

Result<Value> indent(const Call &call) {
  Value width = call.arguments.get(0, "width");
  std::string blanks =
      width.string() ? *width.string() : std::string(size_t(std::clamp<int64_t>(width.whole().value_or(4), 0, 1000)), ' ');
  bool first = call.arguments.get(1, "first").isTrue(), blank = call.arguments.get(2, "blank").isTrue();
  std::string text = call.text();
  if (!call.budget.spend(size_t(std::ranges::count_if(text, [](char c) { return c == '\n' || c == '\r'; }))))
    return Status::resourceExhausted("'indent' of too many lines");
  std::vector<std::string> lines = splitLines(text);
  if (text.ends_with('\n'))
    lines.emplace_back();
  if (!call.budget.spendBytes(lines.size() * blanks.size()))
    return Status::resourceExhausted("'indent' makes too long a text");
  std::string result;
  for (size_t i = 0; i < lines.size(); ++i)
    result += (i ? "\n" : "") + (i || first ? (lines[i].empty() && !blank && (i || !first) ? "" : blanks) : "") + lines[i];
  return Value::of(result);
}

/// The value of `path`, which may be "a.b".
Value attributeOf(Value value, const std::string &path) {
  for (const std::string &name : split(path, ".", -1, false))
    value = value.member(name);
  return value;
}

Result<Value> join(const Call &call, const List &list) {
  Value attribute = call.arguments.get(1, "attribute");
  std::string separator = call.arguments.get(0, "d").text(call.budget), result;
  for (size_t i = 0; i < list.size() && result.size() <= Budget::maxText; ++i)
    result += (i ? separator : "") + (attribute.string() ? attributeOf(list[i], *attribute.string()) : list[i]).text(call.budget);
  return Value::of(result);
}

/// map(attribute=...) and map('filter', ...).
Result<Value> map(const Call &call, const List &list) {
  Value attribute = call.arguments.get(SIZE_MAX, "attribute"), otherwise = call.arguments.get(SIZE_MAX, "default");
  Value filter = call.arguments.get(0, "");
  List result;
  Arguments rest = call.arguments;
  if (!rest.positional.empty())
    rest.positional.erase(rest.positional.begin());
  for (const Value &each : list) {
    if (attribute.string()) {
      Value found = attributeOf(each, *attribute.string());
      result.push_back(found.isUndefined() ? otherwise : found);
      continue;
    }
    if (!filter.string())
      return Status::invalidData("'map' expects an attribute or a filter");
    Result<Value> mapped = applyFilter(*filter.string(), each, rest, call.budget);
    if (!mapped.ok())
      return mapped;
    result.push_back(*mapped);
  }
  return Value::of(std::move(result));
}

/// select, reject, selectattr, rejectattr.
Result<Value> select(const Call &call, const List &list) {
  bool byAttribute = call.name.ends_with("attr"), wanted = call.name.starts_with("select");
  Arguments rest = call.arguments;
  auto takeName = [&]() -> std::optional<std::string> {
    if (rest.positional.empty() || !rest.positional[0].string())
      return std::nullopt;
    std::string name = *rest.positional[0].string();
    rest.positional.erase(rest.positional.begin());
    return name;
  };
  std::optional<std::string> attribute = byAttribute ? takeName() : std::nullopt, test = takeName();
  if (byAttribute && !attribute)
    return Status::invalidData("'" + call.name + "' expects an attribute");
  static const std::pair<std::string_view, std::string> symbols[] = {{"==", "eq"}, {"!=", "ne"}, {"<", "lt"},
                                                                     {"<=", "le"}, {">", "gt"},  {">=", "ge"}};
  for (const auto &[symbol, name] : symbols)
    if (test && *test == symbol)
      test = name;
  List result;
  for (const Value &each : list) {
    Value tested = attribute ? attributeOf(each, *attribute) : each;
    Result<Value> holds = test ? applyTest(*test, tested, rest, call.budget) : Result<Value>(tested);
    if (!holds.ok())
      return holds;
    if (holds->isTrue() == wanted)
      result.push_back(each);
  }
  return Value::of(std::move(result));
}

Result<Value> sort(const Call &call, List list) {
  Value attribute = call.arguments.get(2, "attribute");
  bool reverse = call.arguments.get(0, "reverse").isTrue(), exact = call.arguments.get(1, "case_sensitive").isTrue();
  std::vector<std::pair<Value, size_t>> keys;
  for (const Value &each : list) {
    Value key = attribute.string() ? attributeOf(each, *attribute.string()) : each;
    keys.emplace_back(!exact && key.string() ? Value::of(lower(*key.string())) : key, keys.size());
    if ((!key.string() || !keys[0].first.string()) && (!key.number() || !keys[0].first.number()))
      return Status::invalidData("'sort' cannot compare " + std::string(keys[0].first.kind()) + " and " + key.kind());
  }
  if (!call.budget.spend(keys.size() * 20))
    return Status::resourceExhausted("'sort' of a long list");
  std::ranges::sort(keys, [&](const auto &a, const auto &b) {
    bool less = *compare("<", a.first, b.first, call.budget), greater = *compare(">", a.first, b.first, call.budget);
    return less || greater ? (reverse ? greater : less) : a.second < b.second;
  });
  List result;
  for (const auto &key : keys)
    result.push_back(list[key.second]);
  return Value::of(std::move(result));
}

Result<Value> unique(const Call &call, const List &list) {
  List result;
  for (const Value &each : list)
    if (std::ranges::none_of(result, [&](const Value &known) { return known.equals(each, call.budget); }))
      result.push_back(each);
  return Value::of(std::move(result));
}

/// Filters of whatever can be gone through.
Result<Value> overElements(const Call &call) {
  const std::string &name = call.name;
  Result<List> elements = elementsOf(call.value, call.budget);
  if (!elements.ok())
    return elements.status().code() == StatusCode::resourceExhausted ? elements.status() : call.wrongKind();
  if (name == "list")
    return Value::of(*elements);
  if (name == "first" || name == "last")
    return elements->empty() ? Value() : name == "first" ? elements->front() : elements->back();
  if (name == "join")
    return join(call, *elements);
  if (name == "map")
    return map(call, *elements);
  if (name == "sort")
    return sort(call, *elements);
  if (name == "unique")
    return unique(call, *elements);
  if (name == "reverse") {
    std::ranges::reverse(*elements);
    if (!call.value.string())
      return Value::of(*elements);
    return join({name, call.value, {}, call.budget}, *elements);
  }
  return select(call, *elements);
}

Result<Value> overItems(const Call &call) {
  if (call.value.isUndefined())
    return Value::of(List());
  if (!call.value.dictionary())
    return call.wrongKind();
  Result<Value> items = callMethod(call.value, "items", {}, call.budget);
  if (call.name == "items" || !items.ok())
    return items;
  List sorted = *items->list(); // dictsort: by key
  std::ranges::sort(sorted, {}, [](const Value &item) { return lower(*(*item.list())[0].string()); });
  return Value::of(std::move(sorted));
}

Result<Value> overText(const Call &call) {
  std::string text = call.text();
  const std::string &name = call.name;
  if (name == "trim") {
    Value characters = call.arguments.get(0, "chars");
    return Value::of(strip(text, characters.string() ? std::optional(*characters.string()) : std::nullopt, true, true));
  }
  if (name == "title")
    return Value::of(titleWords(text));
  if (name == "string" || name == "safe")
    return Value::of(text);
  return callMethod(Value::of(text), name, call.arguments, call.budget); // upper, lower, capitalize, replace
}

using Filter = Result<Value> (*)(const Call &);
constexpr std::pair<std::string_view, Filter> filters[] = {
    {"default", toDefault},       {"d", toDefault},         {"tojson", toJson},
    {"length", toLength},         {"count", toLength},      {"int", toInteger},
    {"indent", indent},           {"list", overElements},   {"first", overElements},
    {"last", overElements},       {"join", overElements},   {"map", overElements},
    {"sort", overElements},       {"unique", overElements}, {"reverse", overElements},
    {"select", overElements},     {"reject", overElements}, {"selectattr", overElements},
    {"rejectattr", overElements}, {"items", overItems},     {"dictsort", overItems},
    {"trim", overText},           {"upper", overText},      {"lower", overText},
    {"capitalize", overText},     {"title", overText},      {"replace", overText},
    {"string", overText},         {"safe", overText},
};
} // namespace

Result<Value> moec::runtime::chat::applyFilter(const std::string &name, const Value &value, const Arguments &arguments,
                                               Budget &budget) {
  auto filter = std::ranges::find(filters, name, &std::pair<std::string_view, Filter>::first);
  if (filter == std::end(filters))
    return Status::invalidData("the filter '" + name + "' is not supported");
  return filter->second({name, value, arguments, budget});
}
