// The lexical rules of PTX: words, strings, punctuation; comments and white space are gone.
#include "runtime/devices/emulator/Lexer.h"

#include <cctype>
#include <string>

using namespace moec::runtime;
using namespace moec::runtime::emulator;

namespace {
bool startsWord(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.'; }

class Lexer {
public:
  Lexer(std::string_view text, std::string_view name) : text(text), name(name) {}

  Result<std::vector<Token>> run() {
    for (;;) {
      MOEC_RETURN_IF_ERROR(skipBlanks());
      if (at == text.size())
        break;
      if (startsWord(text[at]))
        word();
      else if (text[at] == '"')
        MOEC_RETURN_IF_ERROR(string());
      else if (std::string_view("@!{}[]()<>,;:+-*/=|&~").find(text[at]) != std::string_view::npos)
        add(Token::Kind::punctuation, at, at + 1);
      else
        return error("expected PTX, got byte " + std::to_string(int(static_cast<unsigned char>(text[at]))));
    }
    tokens.push_back({Token::Kind::end, {}, line});
    return std::move(tokens);
  }

private:
  Status error(const std::string &message) const {
    return Status::invalidData(std::string(name) + ":" + std::to_string(line) + ": " + message);
  }

  void add(Token::Kind kind, size_t begin, size_t end) {
    tokens.push_back({kind, text.substr(begin, end - begin), line});
    at = end;
  }

  void word() {
    size_t end = at + 1;
    // A pair of colons joins a modifier (L1::no_allocate); a single one ends a label.
    while (end < text.size() && (startsWord(text[end]) || (text.substr(end, 2) == "::")))
      end += text[end] == ':' ? 2 : 1;
    add(Token::Kind::word, at, end);
  }

  Status string() {
    size_t end = text.find_first_of("\"\n", at + 1);
    if (end == std::string_view::npos || text[end] != '"')
      return error("unterminated string");
    add(Token::Kind::string, at + 1, end);
    ++at;
    return {};
  }

  Status skipBlanks() {
    while (at < text.size()) {
      if (text[at] == '\n') {
        ++line;
        ++at;
      } else if (isspace(static_cast<unsigned char>(text[at])) || (text[at] == '\0' && at + 1 == text.size())) {
        ++at; // a terminating zero is what the driver wants
      } else if (text.substr(at, 2) == "//") {
        at = std::min(text.find('\n', at), text.size());
      } else if (text.substr(at, 2) == "/*") {
        size_t end = text.find("*/", at + 2);
        if (end == std::string_view::npos)
          return error("unterminated comment");
        for (; at < end + 2; ++at)
          line += text[at] == '\n';
      } else {
        break;
      }
    }
    return {};
  }

  std::string_view text, name;
  size_t at = 0;
  uint32_t line = 1;
  std::vector<Token> tokens;
};
} // namespace

Result<std::vector<Token>> moec::runtime::emulator::tokenize(std::string_view text, std::string_view name) {
  return Lexer(text, name).run();
}
