// Cuts a chat template into text, and tags into tokens.
#include "runtime/chat/Lexer.h"

#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <charconv>

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
      Status status = kind == '#' ? comment() : kind == '%' && isRaw() ? raw() : tag(kind == '{');
      if (!status.ok())
        return status;
    }
    tokens.push_back({Token::Kind::end, "", line});
    return std::move(tokens);
  }

private:
  Status refuse(const std::string &why) const { return atLine(line, Status::invalidData(why)); }

  void advance(size_t to) {
    line += int(std::count(source.begin() + std::ptrdiff_t(at), source.begin() + std::ptrdiff_t(to), '\n'));
    at = to;
  }
  void addText(std::string_view text) {
    if (!text.empty())
      tokens.push_back({Token::Kind::text, std::string(text), line});
  }
  /// Behind whatever spaces there are at `from`.
  size_t spacesEnd(size_t from) const {
    while (from < source.size() && isSpace(source[from]))
      ++from;
    return from;
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
  void closed(bool trim, bool keepsLine) {
    if (trim) {
      advance(spacesEnd(at));
    } else if (!keepsLine && at < source.size() && source[at] == '\n') {
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

  /// Where "NAME %}" ends that begins at `from`, in blanks; npos when it is something else.
  size_t endOfTag(size_t from, std::string_view name) const {
    from = spacesEnd(from);
    if (!source.substr(from).starts_with(name))
      return std::string_view::npos;
    from = spacesEnd(from + name.size());
    for (std::string_view close : {"%}", "-%}", "+%}"})
      if (source.substr(from).starts_with(close))
        return from + close.size();
    return std::string_view::npos;
  }
  bool isRaw() const { return endOfTag(at, "raw") != std::string_view::npos; }

  /// Everything up to {% endraw %} is text.
  Status raw() {
    size_t begin = endOfTag(at, "raw");
    bool trimBegin = source[begin - 3] == '-', keepBegin = source[begin - 3] == '+';
    advance(begin);
    closed(trimBegin, keepBegin);
    for (size_t open = source.find("{%", at); open != std::string_view::npos; open = source.find("{%", open + 2)) {
      bool trim = open + 2 < source.size() && source[open + 2] == '-', keep = open + 2 < source.size() && source[open + 2] == '+';
      size_t end = endOfTag(open + 2 + (trim || keep), "endraw");
      if (end == std::string_view::npos)
        continue;
      std::string_view text = source.substr(at, open - at);
      addText(trim ? withoutTrailing(text) : keep ? text : withoutIndent(text));
      bool trimEnd = source[end - 3] == '-', keepEnd = source[end - 3] == '+';
      advance(end);
      closed(trimEnd, keepEnd);
      return {};
    }
    return refuse("expected {% endraw %}");
  }

  Status tag(bool isOutput) {
    tokens.push_back({isOutput ? Token::Kind::beginOutput : Token::Kind::beginTag, "", line});
    int braces = 0; // of dictionaries that are open: }} may close two of them
    while (true) {
      advance(spacesEnd(at));
      std::string_view rest = source.substr(at);
      if (rest.empty())
        return refuse("a tag without an end");
      bool trim = rest.starts_with(isOutput ? "-}}" : "-%}"), keep = !isOutput && rest.starts_with("+%}");
      if (trim || keep || (braces == 0 && rest.starts_with(isOutput ? "}}" : "%}"))) {
        tokens.push_back({isOutput ? Token::Kind::endOutput : Token::Kind::endTag, "", line});
        advance(at + 2 + (trim || keep));
        closed(trim, isOutput || keep);
        return {};
      }
      braces += rest[0] == '{' ? 1 : rest[0] == '}' ? -1 : 0;
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
      bool isFraction = length + 1 < rest.size() && rest[length] == '.' && isDigit(rest[length + 1]);
      if (isFraction)
        for (++length; length < rest.size() && isDigit(rest[length]);)
          ++length;
      if (length > 18)
        return refuse("a number of " + std::to_string(length) + " digits");
      tokens.push_back({isFraction ? Token::Kind::fraction : Token::Kind::integer, std::string(rest.substr(0, length)), line});
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
      static constexpr std::string_view letters = "ntrabfv0\\'\"", meanings("\n\t\r\a\b\f\v\0\\'\"", 11);
      size_t digits = escaped == 'x' ? 2 : escaped == 'u' ? 4 : escaped == 'U' ? 8 : 0;
      if (size_t known = letters.find(escaped); known != std::string_view::npos)
        text += meanings[known];
      else if (digits == 0)
        text += {'\\', escaped};
      else if (uint32_t code = 0;
               std::from_chars(source.data() + i + 1, source.data() + std::min(i + 1 + digits, source.size()), code, 16).ptr ==
                   source.data() + i + 1 + digits &&
               code < 0x110000 && (code < 0xd800 || code > 0xdfff)) {
        appendCharacter(code, text);
        i += digits;
      } else {
        return refuse(std::string("an escape \\") + escaped + " of no character");
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

Status moec::runtime::chat::atLine(int line, const Status &status) {
  if (status.ok() || status.message().starts_with("chat template"))
    return status;
  return {status.code(), "chat template, line " + std::to_string(line) + ": " + status.message()};
}

Result<std::vector<Token>> moec::runtime::chat::tokenizeTemplate(std::string_view source) {
  std::string lines; // with the line ends that Jinja makes of all, and without the last
  for (size_t i = 0; i < source.size(); ++i)
    if (source[i] != '\r')
      lines += source[i];
    else if (i + 1 == source.size() || source[i + 1] != '\n')
      lines += '\n';
  if (lines.ends_with('\n'))
    lines.pop_back();
  return Lexer(lines).run();
}
