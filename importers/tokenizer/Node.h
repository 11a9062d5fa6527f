// A value of a tokenizer.json that knows where it stands, so that what is wrong with it can be said.
#ifndef MOEC_IMPORTERS_TOKENIZER_NODE_H
#define MOEC_IMPORTERS_TOKENIZER_NODE_H

#include "importers/json/StrictJson.h"

namespace moec::importers::tokenizer {

/// What was refused first. Readers go on with defaults after a refusal; whoever asked looks here in the end.
class Refusals {
public:
  explicit Refusals(llvm::StringRef file) : file(file) {}
  void add(llvm::StringRef where, const llvm::Twine &why);
  bool none() const { return text.empty(); }
  llvm::Error take() const;

private:
  llvm::StringRef file;
  std::string text;
};

/// `value` may be missing (null pointer), which reads like JSON's null.
class Node {
public:
  Node(const json::Value *value, std::string where, Refusals &refusals)
      : value(value), where(std::move(where)), refusals(&refusals) {}

  bool isNull() const { return !value || value->isNull(); }
  const json::Value *json() const { return value; }
  void refuse(const llvm::Twine &why) const { refusals->add(where, why); }
  /// "an object", "nothing", ...
  llvm::StringRef kind() const { return value ? value->kind() : "nothing"; }

  Node member(llvm::StringRef key) const;
  /// The elements of an array; anything else is refused.
  std::vector<Node> items() const;
  std::vector<Node> items(llvm::StringRef key) const { return member(key).items(); }
  /// The text; anything else is refused.
  llvm::StringRef text() const;
  llvm::StringRef text(llvm::StringRef key) const { return member(key).text(); }
  /// The member `key`, true or false, or `absent` when there is none.
  bool flag(llvm::StringRef key, bool absent) const;
  /// The object's `type`.
  llvm::StringRef type() const;
  /// An integer in [low, high]; anything else is refused.
  int64_t integer(int64_t low, int64_t high) const;
  /// Refuses members other than these.
  void onlyKnown(llvm::ArrayRef<llvm::StringRef> known) const;
  bool ok() const { return refusals->none(); }

private:
  const json::Value *value;
  std::string where;
  Refusals *refusals;
};

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_NODE_H
