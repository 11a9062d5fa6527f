// The words of a JSON text.
#ifndef MOEC_IMPORTERS_JSON_LEXER_H
#define MOEC_IMPORTERS_JSON_LEXER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/StringSaver.h"

#include <string>

namespace moec::importers::json {

enum class Token {
  End,
  BeginObject,
  EndObject,
  BeginArray,
  EndArray,
  Colon,
  Comma,
  Null,
  False,
  True,
  Integer,
  Fraction,
  String,
  Invalid
};

/// Cuts a text into tokens, each in one pass over its bytes. Strings without escapes are views of the text.
class Lexer {
public:
  explicit Lexer(llvm::StringRef text) : text(text) {}

  /// The next token. When it is invalid, `problem` says why.
  Token next();

  /// What the last token of that kind says. A string lives as long as the text and this lexer.
  llvm::StringRef string() const { return stringValue; }
  int64_t integer() const { return integerValue; }
  double fraction() const { return fractionValue; }
  llvm::StringRef problem() const { return complaint; }
  /// The number of the last byte read, counted from 1; for an end that came too soon, of the byte that is missing.
  size_t position() const { return at; }

private:
  bool atEnd() const { return at >= text.size(); }
  bool consume(char expected);
  bool consumeDigits();
  Token word(llvm::StringRef spelling, Token token);
  Token number();
  Token quoted();
  bool consumeMultibyte();
  bool consumeEscape(std::string &decoded);
  bool consumeHex(unsigned &unit);
  Token invalid(const llvm::Twine &why);

  llvm::StringRef text;
  size_t at = 0;
  llvm::StringRef stringValue;
  int64_t integerValue = 0;
  double fractionValue = 0;
  std::string complaint;
  llvm::BumpPtrAllocator storage;
  llvm::StringSaver decodedStrings{storage};
};

} // namespace moec::importers::json

#endif // MOEC_IMPORTERS_JSON_LEXER_H
