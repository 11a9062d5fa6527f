// A value of a tokenizer.json that knows where it stands, so that what is wrong with it can be said.
#include "importers/tokenizer/Node.h"

#include "importers/Refusal.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

void Refusals::add(StringRef where, const Twine &why) {
  if (none())
    text = (file + ": " + where + ": " + why).str();
}

Error Refusals::take() const { return none() ? Error::success() : importers::refuse(text); }

Node Node::member(StringRef key) const {
  return Node(value ? value->find(key) : nullptr, where.empty() ? key.str() : where + "." + key.str(), *refusals);
}

std::vector<Node> Node::items() const {
  std::vector<Node> result;
  if (!value || !value->array()) {
    refuse("expected an array, got " + kind());
    return result;
  }
  for (auto [i, item] : enumerate(*value->array()))
    result.emplace_back(&item, where + "[" + std::to_string(i) + "]", *refusals);
  return result;
}

StringRef Node::text() const {
  if (value && value->string())
    return *value->string();
  refuse("expected a string, got " + kind());
  return {};
}

bool Node::flag(StringRef key, bool absent) const {
  Node node = member(key);
  if (!node.value)
    return absent;
  if (std::optional<bool> flag = node.value->boolean())
    return *flag;
  node.refuse("expected true or false, got " + node.kind());
  return absent;
}

StringRef Node::type() const {
  if (!value || !value->object()) {
    refuse("expected an object with a type, got " + kind());
    return {};
  }
  return text("type");
}

int64_t Node::integer(int64_t low, int64_t high) const {
  std::optional<int64_t> number = value ? value->integer() : std::nullopt;
  if (number && *number >= low && *number <= high)
    return *number;
  refuse("expected an integer in [" + Twine(low) + ", " + Twine(high) + "], got " + (number ? Twine(*number) : Twine(kind())));
  return low;
}

void Node::onlyKnown(ArrayRef<StringRef> known) const {
  if (!value || !value->object())
    return refuse("expected an object, got " + kind());
  for (const json::Member &entry : *value->object())
    if (!is_contained(known, entry.key))
      return refuse("'" + entry.key + "' is not known; it could change the ids");
}
