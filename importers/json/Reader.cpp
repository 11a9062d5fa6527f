// The grammar of JSON, and the rules for texts that anybody may have written.
#include "importers/json/Reader.h"
#include "importers/Refusal.h"

#include "llvm/ADT/CachedHashString.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringExtras.h"

using namespace moec::importers::json;
using llvm::StringRef;

/// A token as messages spell it.
static StringRef spell(Token token) {
  switch (token) {
  case Token::End:
    return "end of input";
  case Token::BeginObject:
    return "'{'";
  case Token::EndObject:
    return "'}'";
  case Token::BeginArray:
    return "'['";
  case Token::EndArray:
    return "']'";
  case Token::Colon:
    return "':'";
  case Token::Comma:
    return "','";
  case Token::Null:
  case Token::False:
  case Token::True:
    return "literal";
  case Token::Integer:
  case Token::Fraction:
    return "number literal";
  case Token::String:
    return "string literal";
  case Token::Invalid:
    return "text";
  }
  llvm_unreachable("every token has a spelling");
}

Reader::Reader(StringRef text, StringRef name, const Limits &limits) : lexer(text), name(name), limits(limits) {
  if (text.size() > limits.bytes) {
    stop("expected at most " + llvm::Twine(limits.bytes) + " bytes of JSON, got " + llvm::Twine(text.size()));
  } else if (text.starts_with("\xef\xbb\xbf")) {
    stop("expected JSON, got a byte order mark");
  } else if (size_t nul = text.find('\0'); nul != StringRef::npos) {
    stop("byte " + llvm::Twine(nul + 1) + ": unexpected NUL");
  } else {
    advance("value");
    expectValue();
  }
}

//===- Values ---------------------------------------------------------------------------------------------------------------===//

StringRef Reader::kind() const {
  switch (token) {
  case Token::BeginObject:
    return "an object";
  case Token::BeginArray:
    return "an array";
  case Token::Null:
    return "null";
  case Token::False:
  case Token::True:
    return "a boolean";
  case Token::Integer:
    return "an integer";
  case Token::Fraction:
    return "a fraction";
  case Token::String:
    return "a string";
  default:
    return "nothing";
  }
}

bool Reader::null() { return take(Token::Null); }

std::optional<bool> Reader::boolean() {
  if (take(Token::True))
    return true;
  return take(Token::False) ? std::optional(false) : std::nullopt;
}

std::optional<int64_t> Reader::integer() {
  int64_t value = lexer.integer();
  return take(Token::Integer) ? std::optional(value) : std::nullopt;
}

std::optional<double> Reader::fraction() {
  double value = lexer.fraction();
  return take(Token::Fraction) ? std::optional(value) : std::nullopt;
}

std::optional<StringRef> Reader::string() {
  StringRef value = lexer.string();
  return take(Token::String) ? std::optional(value) : std::nullopt;
}

bool Reader::beginObject(Keys whoseKeys) {
  if (!enter(Token::BeginObject))
    return false;
  levels.push_back({.isObject = true, .keys = whoseKeys, .count = 0, .firstKey = keys.size()});
  advance("object key");
  return true;
}

bool Reader::beginArray() {
  if (!enter(Token::BeginArray))
    return false;
  levels.push_back({.isObject = false, .keys = Keys::Distinct, .count = 0, .firstKey = keys.size()});
  advance("value");
  return true;
}

bool Reader::nextMember(StringRef &key) {
  if (!nextItem(Token::EndObject, "object", "',' or '}'"))
    return false;
  if (token != Token::String)
    return unexpected("object key", "a string");
  if (levels.back().keys == Keys::LeftToCaller)
    keys.resize(levels.back().firstKey);
  keys.push_back(key = lexer.string());
  advance("object separator");
  if (token != Token::Colon)
    return unexpected("object separator", "':'");
  advance("value");
  return expectValue();
}

bool Reader::nextElement() { return nextItem(Token::EndArray, "array", "',' or ']'") && expectValue(); }

void Reader::skip() { // recursion is as deep as the limit allows
  StringRef key;
  if (beginObject())
    while (nextMember(key))
      skip();
  else if (beginArray())
    while (nextElement())
      skip();
  else
    take(token);
}

void Reader::skipRest() {
  bool isAtValue = kind() != "nothing";
  for (StringRef key; !failed(); isAtValue = levels.back().isObject ? nextMember(key) : nextElement()) {
    if (isAtValue)
      skip();
    if (levels.empty())
      return;
  }
}

llvm::Error Reader::problem() const { return failed() ? refuse(name + ": " + complaint) : llvm::Error::success(); }

llvm::Error Reader::finish() {
  if (!failed() && token != Token::End)
    unexpected("value", "end of input");
  return problem();
}

//===- Tokens and rules -----------------------------------------------------------------------------------------------------===//

void Reader::advance(StringRef context) {
  if (failed())
    return;
  token = lexer.next();
  if (token == Token::Invalid)
    complaint = ("byte " + llvm::Twine(lexer.position()) + ": " +
                 (lexer.problem().starts_with("invalid") ? "syntax error while parsing " + context + " - " : llvm::Twine()) +
                 lexer.problem())
                    .str();
}

bool Reader::take(Token kind) {
  if (token != kind || failed() || !countValue())
    return false;
  moveOn();
  return true;
}

bool Reader::enter(Token kind) {
  if (token != kind || failed())
    return false;
  if (levels.size() == limits.depth)
    return stop("nested deeper than " + llvm::Twine(limits.depth) + " levels");
  return countValue();
}

bool Reader::countValue() { return ++count <= limits.values || stop("more than " + llvm::Twine(limits.values) + " values"); }

bool Reader::nextItem(Token end, StringRef context, StringRef expected) {
  if (failed())
    return false;
  Level &level = levels.back();
  if (token == end)
    return leave();
  if (level.count++) {
    if (token != Token::Comma)
      return unexpected(context, expected);
    advance(level.isObject ? "object key" : "value");
  }
  return !failed();
}

/// The first of `keys` that is there already; null when all differ.
static const StringRef *findRepeated(llvm::ArrayRef<StringRef> keys) {
  if (keys.size() <= 8) { // so few are compared faster than hashed
    for (size_t i = 1; i < keys.size(); ++i)
      if (llvm::is_contained(keys.take_front(i), keys[i]))
        return &keys[i];
    return nullptr;
  }
  llvm::DenseSet<llvm::CachedHashStringRef> seen;
  seen.reserve(unsigned(keys.size()));
  for (const StringRef &key : keys)
    if (!seen.insert(llvm::CachedHashStringRef(key)).second)
      return &key;
  return nullptr;
}

/// Leaves the innermost level; false, as it has no further item.
bool Reader::leave() {
  if (const StringRef *repeated = findRepeated(llvm::ArrayRef(keys).drop_front(levels.back().firstKey)))
    return stop("key '" + *repeated + "' is given twice");
  keys.resize(levels.back().firstKey);
  levels.pop_back();
  moveOn();
  return false;
}

void Reader::moveOn() { advance(levels.empty() ? "value" : levels.back().isObject ? "object" : "array"); }

bool Reader::expectValue() { return failed() || kind() != "nothing" ? !failed() : unexpected("value", "'[', '{', or a literal"); }

bool Reader::unexpected(StringRef context, StringRef expected) {
  if (!failed())
    complaint = ("byte " + llvm::Twine(lexer.position()) + ": syntax error while parsing " + context + " - unexpected " +
                 spell(token) + "; expected " + expected)
                    .str();
  return false;
}

bool Reader::stop(const llvm::Twine &why) {
  if (!failed())
    complaint = path() + why.str();
  return false;
}

/// "model.vocab[3]: " for the value in which the innermost level stands.
std::string Reader::path() const {
  std::string text;
  for (size_t depth = 0; depth + 1 < levels.size(); ++depth) {
    if (levels[depth].isObject)
      text += (text.empty() ? "" : ".") + keys[levels[depth + 1].firstKey - 1].str();
    else
      text += "[" + std::to_string(levels[depth].count - 1) + "]";
  }
  return text.empty() ? text : text + ": ";
}
