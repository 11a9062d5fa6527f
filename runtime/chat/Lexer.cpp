// Cuts a chat template into text, and tags into tokens.
#include "runtime/chat/Lexer.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::chat;

namespace {
bool isNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

class Lexer {
public:
  explicit Lexer(std::string_view source) : source(source) {}

  Result<std::vector<Token>> run() {
    while (at < source.size()) {
      size_t open = source.find('{', at);
      while (open != std::string_view::npos &&
             (open + 1 == source.size() || std::string_view("{%#").find(source[open + 1]) == std::string_view::npos))
        open = source.find('{', open + 1);
      if (open == std::string_view::npos) {
        addText(source.substr(at));
        break;
      }
      char kind = source[open + 1];
      bool trim = open + 2 < source.size() && source[open + 2] == '-', keep = open + 2 < source.size() && source[open + 2] == '+';
      std::string_view text = source.substr(at, open - at);
      addText(trim ? withoutTrailing(text) : kind != '{' && !keep ? withoutIndent(text) : text);
      advance(open + 2 + (trim || keep));
      if (Status status = kind == '#' ? comment() : tag(kind == '{'); !status.ok())
        return status;
    }
    tokens.push_back({Token::Kind::end, "", line});
    return std::move(tokens);
  }

private:
  Status refuse(const std::string &why) const {
    return Status::invalidData("chat template, line " + std::to_string(line) + ": " + why);
  }

  void advance(size_t to) {
    line += int(std::count(source.begin() + std::ptrdiff_t(at), source.begin() + std::ptrdiff_t(to), '\n'));
    at = to;
  }
  void addText(std::string_view text) {
    if (!text.empty())
      tokens.push_back({Token::Kind::text, std::string(text), line});
  }
  static std::string_view withoutTrailing(std::string_view text) {
    while (!text.empty() && isSpace(text.back()))
      text.remove_suffix(1);
    return text;
  }
  /// lstrip_blocks: blanks between the start of a line and a tag.
  std::string_view withoutIndent(std::string_view text) const {
    std::string_view cut = text;
    while (!cut.empty() && (cut.back() == ' ' || cut.back() == '\t'))
      cut.remove_suffix(1);
    bool startsLine = cut.empty() ? at == 0 || (source[at - 1] == '\n') : cut.back() == '\n';
    return startsLine ? cut : text;
  }
  /// Behind a closing mark: all whitespace after `-`, else the line break after a tag (trim_blocks).
  void closed(bool trim, bool isOutput) {
    if (trim) {
      size_t to = at;
      while (to < source.size() && isSpace(source[to]))
        ++to;
      advance(to);
    } else if (!isOutput && at < source.size() && source[at] == '\n') {
      advance(at + 1);
    }
  }
  Status comment() {
    size_t close = source.find("#}", at);
    if (close == std::string_view::npos)
      return refuse("a comment without an end");
    bool trim = close > at && source[close - 1] == '-';
    advance(close + 2);
    closed(trim, false);
    return {};
  }

  Status tag(bool isOutput) {
    tokens.push_back({isOutput ? Token::Kind::beginOutput : Token::Kind::beginTag, "", line});
    while (true) {
      while (at < source.size() && isSpace(source[at]))
        advance(at + 1);
      std::string_view rest = source.substr(at);
      if (rest.empty())
        return refuse("a tag without an end");
      bool trim = rest.starts_with(isOutput ? "-}}" : "-%}");
      if (trim || rest.starts_with(isOutput ? "}}" : "%}")) {
        tokens.push_back({isOutput ? Token::Kind::endOutput : Token::Kind::endTag, "", line});
        advance(at + 2 + trim);
        closed(trim, isOutput);
        return {};
      }
      MOEC_RETURN_IF_ERROR(token(rest));
    }
  }

  Status token(std::string_view rest) {
    size_t length = 1;
    if (isNameStart(rest[0])) {
      while (length < rest.size() && (isNameStart(rest[length]) || isDigit(rest[length])))
        ++length;
      tokens.push_back({Token::Kind::name, std::string(rest.substr(0, length)), line});
    } else if (isDigit(rest[0])) {
      while (length < rest.size() && isDigit(rest[length]))
        ++length;
      if (length > 18)
        return refuse("a number of " + std::to_string(length) + " digits");
      tokens.push_back({Token::Kind::integer, std::string(rest.substr(0, length)), line});
    } else if (rest[0] == '"' || rest[0] == '\'') {
      return stringToken(rest[0]);
    } else {
      for (std::string_view symbol : {"==", "!=", "<=", ">=", "//", "**"})
        if (rest.starts_with(symbol))
          length = 2;
      if (std::string_view("=!<>+-*/%~|.,:()[]{}").find(rest[0]) == std::string_view::npos)
        return refuse(std::string("unexpected character '") + rest[0] + "'");
      tokens.push_back({Token::Kind::symbol, std::string(rest.substr(0, length)), line});
    }
    advance(at + length);
    return {};
  }

  Status stringToken(char quote) {
    std::string text;
    size_t i = at + 1;
    for (; i < source.size() && source[i] != quote; ++i) {
      if (source[i] != '\\' || i + 1 == source.size()) {
        text += source[i];
        continue;
      }
      char escaped = source[++i];
      switch (escaped) {
      case 'n':
        text += '\n';
        break;
      case 't':
        text += '\t';
        break;
      case 'r':
        text += '\r';
        break;
      case '\\':
      case '\'':
      case '"':
        text += escaped;
        break;
      default:
        text += {'\\', escaped};
      }
    }
    if (i == source.size())
      return refuse("a string without an end");
    tokens.push_back({Token::Kind::string, text, line});
    advance(i + 1);
    return {};
  }

  std::string_view source;
  size_t at = 0;
  int line = 1;
  std::vector<Token> tokens;
};
} // namespace

Result<std::vector<Token>> moec::runtime::chat::tokenizeTemplate(std::string_view source) { return Lexer(source).run(); }
