// A model's config.json, read so that no key goes unnoticed.
#ifndef MOEC_IMPORTERS_CONFIG_CONFIG_H
#define MOEC_IMPORTERS_CONFIG_CONFIG_H

#include "importers/files/ModelFolder.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <initializer_list>

namespace moec::importers {

/// The names under which a value may be given; the first one is used in messages. Values under several names must agree.
struct Spelling {
  Spelling(const char *name) : names{name} {}
  Spelling(llvm::StringRef name) : names{name} {}
  Spelling(std::initializer_list<llvm::StringRef> names) : names(names) {}
  llvm::SmallVector<llvm::StringRef, 2> names;
};

/// How a file in another form calls what our readers ask for by config.json's keys.
using KeyNames = llvm::StringMap<std::string>;

/// The keys of one object. Reading one consumes it; in the end every key must have been consumed.
///
/// Readers do not fail: the first thing that is wrong is remembered, a harmless value in range comes back, and `finish` reports it.
/// So a family reads its keys one after the other without a word about errors, and must not act on them before `finish`.
class Config {
public:
  /// `name` is how messages call the object: a path, or the path of keys within one. Where there are `names`, messages speak of
  /// keys by them.
  Config(const json::Object &object, std::string name, std::string &problem, const KeyNames *names = nullptr)
      : object(object), name(std::move(name)), problem(problem), names(names) {}

  /// An integer from `least` to `most`. Without a fallback the key must be there.
  int64_t count(const Spelling &key, int64_t most, std::optional<int64_t> fallback = std::nullopt, int64_t least = 1);
  /// The same where null has a meaning of its own; `fallback` is what an absent key means.
  std::optional<int64_t> countOrNull(const Spelling &key, int64_t most, std::optional<int64_t> fallback = std::nullopt,
                                     int64_t least = 1);
  /// A list of integers from 0 to `most`; an absent key and null mean none.
  std::vector<int64_t> counts(const Spelling &key, int64_t most);
  /// A finite number greater than 0.
  double positive(const Spelling &key, std::optional<double> fallback = std::nullopt);
  std::optional<double> positiveOrNull(const Spelling &key);
  /// A number not below 0; null means the fallback. Without one the key must be there.
  double nonNegative(const Spelling &key, std::optional<double> fallback = std::nullopt);
  bool flag(const Spelling &key, bool fallback);
  /// One of `choices`, of which an absent key means the first.
  llvm::StringRef choice(const Spelling &key, llvm::ArrayRef<llvm::StringRef> choices);
  /// A list of `choices`; an absent key and null mean an empty one.
  std::vector<llvm::StringRef> choiceList(const Spelling &key, llvm::ArrayRef<llvm::StringRef> choices);
  bool has(llvm::StringRef key) const;
  /// Every one of these keys must be there: a family's own code and the library disagree on what an absent one means.
  void requireGiven(llvm::ArrayRef<llvm::StringRef> keys);
  /// The value, consumed, of whatever kind; null when absent.
  const json::Value *take(const Spelling &key);

  /// The value, when given, must be the only one with which the model computes what we build.
  void expect(const Spelling &key, const json::Value &only);
  /// Remembers a problem unless `holds`.
  void require(bool holds, const llvm::Twine &otherwise);
  /// Consumes keys that do not change what a trained model computes.
  void leaveAside(llvm::ArrayRef<llvm::StringRef> keys);

  /// An object within this one, whose problems are this one's. `value` must be an object.
  Config within(const json::Value &value, const Spelling &key);
  /// The key as messages call it, with the object that it belongs to.
  std::string placeOf(llvm::StringRef key) const { return name + ": " + called(key); }
  /// Remembers the first key that nobody consumed.
  void checkConsumed();
  /// That, and the first remembered problem.
  llvm::Error finish();

private:
  /// The text in the file's own words.
  std::string called(llvm::StringRef text) const;
  /// Remembers that the value is not what was expected.
  void wrong(const Spelling &key, const llvm::Twine &expected, const json::Value *got);

  const json::Object &object;
  std::string name;
  std::string &problem;
  const KeyNames *names;
  llvm::StringSet<> consumed;
};

/// A number and a shape as messages quote them.
std::string spelled(double number);
std::string spelled(llvm::ArrayRef<int64_t> shape);

/// Hard bounds on what a config may ask for.
namespace most {
constexpr int64_t layers = 4096, experts = 4096, heads = 4096, width = 1 << 20, positions = 1 << 27, streams = 64,
                  iterations = 1000;
}

} // namespace moec::importers

#endif // MOEC_IMPORTERS_CONFIG_CONFIG_H
