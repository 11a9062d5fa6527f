// Cuts a JSON text into tokens, by RFC 8259 to the letter.
#include "importers/json/Lexer.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/ConvertUTF.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

using namespace moec::importers::json;
using llvm::StringRef;

Token Lexer::invalid(const llvm::Twine &why) {
  complaint = why.str();
  return Token::Invalid;
}

bool Lexer::consume(char expected) {
  if (atEnd() || text[at] != expected)
    return false;
  ++at;
  return true;
}

Token Lexer::next() {
  while (!atEnd() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
    ++at;
  if (atEnd())
    return ++at, Token::End;
  switch (text[at]) {
  case '{':
    return ++at, Token::BeginObject;
  case '}':
    return ++at, Token::EndObject;
  case '[':
    return ++at, Token::BeginArray;
  case ']':
    return ++at, Token::EndArray;
  case ':':
    return ++at, Token::Colon;
  case ',':
    return ++at, Token::Comma;
  case '"':
    return ++at, quoted();
  case 'n':
    return word("null", Token::Null);
  case 'f':
    return word("false", Token::False);
  case 't':
    return word("true", Token::True);
  default:
    return number();
  }
}

Token Lexer::word(StringRef spelling, Token token) {
  for (char letter : spelling)
    if (!consume(letter)) {
      ++at;
      return invalid("invalid literal");
    }
  return token;
}

bool Lexer::consumeDigits() {
  size_t first = at;
  while (!atEnd() && llvm::isDigit(text[at]))
    ++at;
  return at > first;
}

Token Lexer::number() {
  size_t first = at;
  auto broken = [&](StringRef why) {
    ++at;
    return invalid(why);
  };
  bool negative = consume('-'), whole = true;
  if (!consume('0') && !consumeDigits())
    return broken(negative ? "invalid number: expected a digit after '-'" : "invalid literal");
  if (consume('.')) {
    whole = false;
    if (!consumeDigits())
      return broken("invalid number: expected a digit after '.'");
  }
  if (consume('e') || consume('E')) {
    whole = false;
    if (!consume('+'))
      consume('-');
    if (!consumeDigits())
      return broken("invalid number: expected a digit in the exponent");
  }
  StringRef spelling = text.slice(first, at);
  if (whole && std::from_chars(spelling.begin(), spelling.end(), integerValue).ec == std::errc())
    return Token::Integer;
  if (!llvm::to_float(spelling, fractionValue) || !std::isfinite(fractionValue))
    return invalid("number overflow parsing '" + spelling.take_front(100) + "'");
  return Token::Fraction;
}

/// Bytes that stand for themselves in a string.
static constexpr auto isPlain = [] {
  std::array<bool, 256> plain = {};
  for (unsigned c = 0x20; c < 0x80; ++c)
    plain[c] = c != '"' && c != '\\';
  return plain;
}();

Token Lexer::quoted() {
  size_t kept = at; // where the bytes begin that are not yet in `decoded`
  std::string decoded;
  bool escaped = false;
  while (true) {
    at = std::find_if(text.begin() + at, text.end(), [](unsigned char c) { return !isPlain[c]; }) - text.begin();
    if (atEnd())
      return ++at, invalid("invalid string: missing closing quote");
    unsigned char c = text[at];
    if (c == '"') {
      stringValue = text.slice(kept, at++);
      if (escaped)
        stringValue = decodedStrings.save(decoded + stringValue);
      return Token::String;
    }
    if (c == '\\') {
      decoded += text.slice(kept, at++);
      escaped = true;
      if (!consumeEscape(decoded))
        return Token::Invalid;
      kept = at;
    } else if (c < 0x20) {
      ++at;
      return invalid("invalid string: control character U+00" + llvm::toHex(StringRef(text.data() + at - 1, 1)) +
                     " must be escaped");
    } else if (!consumeMultibyte()) {
      return Token::Invalid;
    }
  }
}

bool Lexer::consumeMultibyte() {
  const auto *start = reinterpret_cast<const llvm::UTF8 *>(text.data() + at);
  unsigned length = llvm::getNumBytesForUTF8(*start);
  if (length > text.size() - at || !llvm::isLegalUTF8Sequence(start, start + length)) {
    ++at;
    invalid("invalid string: ill-formed UTF-8 byte");
    return false;
  }
  at += length;
  return true;
}

/// Four hexadecimal digits behind "\u".
bool Lexer::consumeHex(unsigned &unit) {
  StringRef digits = text.substr(at, 4);
  if (digits.size() < 4 || !llvm::all_of(digits, llvm::isHexDigit) || digits.getAsInteger(16, unit)) {
    ++at;
    invalid("invalid string: '\\u' must be followed by 4 hex digits");
    return false;
  }
  at += 4;
  return true;
}

/// What stands behind a backslash, appended to `decoded`.
bool Lexer::consumeEscape(std::string &decoded) {
  constexpr StringRef letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  char letter = atEnd() ? '\0' : text[at++];
  if (size_t index = letters.find(letter); index != StringRef::npos) {
    decoded += meanings[index];
    return true;
  }
  if (letter != 'u') {
    invalid("invalid string: forbidden character after backslash");
    return false;
  }
  unsigned unit, low;
  if (!consumeHex(unit))
    return false;
  if (unit >= 0xdc00 && unit <= 0xdfff) {
    invalid("invalid string: surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF");
    return false;
  }
  if (unit >= 0xd800 && unit <= 0xdbff) {
    bool paired = consume('\\') && consume('u');
    if (paired && !consumeHex(low))
      return false;
    if (!paired || low < 0xdc00 || low > 0xdfff) {
      invalid("invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF");
      return false;
    }
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  char bytes[UNI_MAX_UTF8_BYTES_PER_CODE_POINT], *end = bytes;
  llvm::ConvertCodePointToUTF8(unit, end);
  decoded.append(bytes, end);
  return true;
}
