// Reads JSON that anybody may have written, value by value: strict, bounded, without surprises.
#ifndef MOEC_IMPORTERS_JSON_READER_H
#define MOEC_IMPORTERS_JSON_READER_H

#include "importers/json/Lexer.h"

#include "llvm/Support/Error.h"

#include <optional>
#include <vector>

namespace moec::importers::json {

struct Limits {
  size_t bytes = size_t(256) << 20;
  size_t values = size_t(8) << 20;
  size_t depth = 64;
};

/// Whether an object that has a key twice is refused. Whoever puts the many keys of a large object into a table of its own may as
/// well do so itself.
enum class Keys { Distinct, LeftToCaller };

/// Goes through a text in its order. Refuses what RFC 8259 does not allow, and also: a byte order mark, invalid UTF-8, a key given
/// twice in one object, numbers that no double holds, and whatever exceeds the limits.
///
/// The first problem is remembered and ends the reading: from then on there is neither a value nor a member or element, whatever
/// is asked for. `finish`, or `problem` before, says what it was.
class Reader {
public:
  /// `text` must outlive the reader, and both the strings that it gives. Messages begin with `name` and say the position or the
  /// path of keys.
  Reader(llvm::StringRef text, llvm::StringRef name, const Limits &limits = {});

  /// "an object", "a string", ...: what the value that comes next is, for messages.
  llvm::StringRef kind() const;
  /// Each of these consumes the value that comes next if it is of that kind, and answers nothing otherwise.
  bool null();
  std::optional<bool> boolean();
  /// A number written without fraction and exponent that fits.
  std::optional<int64_t> integer();
  /// A number that is no integer.
  std::optional<double> fraction();
  std::optional<llvm::StringRef> string();
  /// Enters the object or array that comes next.
  bool beginObject(Keys keys = Keys::Distinct);
  bool beginArray();
  /// Within an object, goes on to a member's value, or leaves the object.
  bool nextMember(llvm::StringRef &key);
  /// Within an array, goes on to an element, or leaves the array.
  bool nextElement();
  /// Consumes the value that comes next, whatever it is.
  void skip();

  /// Goes through all that is left, for whoever found something wrong with a value: that the text is no JSON at all is worth more.
  void skipRest();

  bool failed() const { return !complaint.empty(); }
  llvm::Error problem() const;
  /// Expects the end of the text behind the value that was read.
  llvm::Error finish();

private:
  /// An object or array that was entered.
  struct Level {
    bool isObject;
    Keys keys;
    /// Members or elements so far.
    size_t count;
    /// Where its keys begin in `keys`.
    size_t firstKey;
  };
  void advance(llvm::StringRef context);
  /// Moves behind a value.
  void moveOn();
  bool take(Token kind);
  bool enter(Token kind);
  bool countValue();
  /// Goes on to the innermost level's next item; false when there is none, in which case the level has been left.
  bool nextItem(Token end, llvm::StringRef context, llvm::StringRef expected);
  bool leave();
  bool expectValue();
  bool unexpected(llvm::StringRef context, llvm::StringRef expected);
  bool stop(const llvm::Twine &why);
  std::string path() const;

  Lexer lexer;
  llvm::StringRef name;
  Limits limits;
  size_t count = 0;
  Token token = Token::End;
  std::vector<Level> levels;
  /// Those of all levels, but only the last one of a level that leaves them to the caller.
  std::vector<llvm::StringRef> keys;
  std::string complaint;
};

} // namespace moec::importers::json

#endif // MOEC_IMPORTERS_JSON_READER_H
