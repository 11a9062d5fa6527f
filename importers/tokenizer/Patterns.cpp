// Regular expressions of a tokenizer.json, which Oniguruma reads, as PCRE2 reads them.
#include "importers/tokenizer/Patterns.h"

#include "importers/Refusal.h"
#include "importers/tokenizer/NewerCharacters.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace llvm;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

namespace {
constexpr StringLiteral spaces =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
constexpr StringLiteral notSpaces =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{d7ff}"
    "\\x{e000}-\\x{10ffff}";
/// What Oniguruma adds to letters, marks, decimal digits, letter numbers and connectors in \w: the numbers of Latin-1, and letters
/// in circles and squares.
constexpr StringLiteral moreWord =
    "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"
    "\\x{1f170}-\\x{1f189}";
constexpr StringLiteral categories[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",
                                        "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
                                        "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp"};

/// Reads a pattern once from left to right.
class Translator {
public:
  explicit Translator(StringRef pattern) : rest(pattern) {}

  Expected<std::string> run() {
    ignoresCase = rest.consume_front("(?i)");
    if (ignoresCase)
      result = "(?i)";
    while (!rest.empty() && problem.empty())
      one();
    if (problem.empty() && depth > 0)
      problem = "a group without an end";
    if (!problem.empty())
      return createStringError(inconvertibleErrorCode(), problem);
    return result;
  }

private:
  enum class Last { nothing, item, quantifier };

  void refuse(const Twine &what) {
    if (problem.empty())
      problem = (what + " is not supported").str();
  }
  char take() {
    char c = rest.front();
    rest = rest.drop_front();
    return c;
  }

  void one() {
    char c = take();
    switch (c) {
    case '\\':
      result += escape(/*inClass=*/false);
      last = Last::item;
      break;
    case '[':
      characterClass();
      last = Last::item;
      break;
    case '(':
      group();
      last = Last::nothing;
      break;
    case ')':
      if (depth-- == 0)
        problem = "')' without its '('";
      result += c;
      if (!outerCase.empty())
        ignoresCase = outerCase.pop_back_val();
      last = Last::item;
      break;
    case '|':
    case '^':
    case '$':
      result += c;
      last = Last::nothing;
      break;
    case '*':
    case '+':
    case '?':
      quantifier(std::string(1, c), /*maybePossessive=*/true);
      break;
    case '{':
      braces();
      break;
    case '#': // plain in both, unless PCRE2's extended mode could be turned on
    default:
      literal(c);
    }
  }

  void literal(char c) {
    // Without regard to case, Oniguruma also takes one letter for two: ss for the German one, fi for the ligature.
    if (ignoresCase && last == Last::item && !result.empty()) {
      char pair[] = {toLower(result.back()), toLower(c), 0};
      if (is_contained({"ss", "ff", "fi", "fl", "st"}, StringRef(pair)))
        refuse(Twine("'") + pair + "' in (?i)");
    }
    if (ignoresCase && !isASCII(c))
      refuse("a character beyond ASCII in (?i)");
    if (c == ']' || c == '}')
      result += '\\';
    result += c;
    last = Last::item;
  }

  void quantifier(std::string text, bool maybePossessive) {
    if (last != Last::item)
      return refuse("'" + text + "' behind " + (last == Last::quantifier ? "another quantifier" : "nothing to repeat"));
    if (!rest.empty() && (rest.front() == '?' || (maybePossessive && rest.front() == '+')))
      text += take();
    result += text;
    last = Last::quantifier;
  }

  /// {n}, {n,}, {n,m}, {,m}, or a brace that is no quantifier.
  void braces() {
    StringRef inside = rest.take_until([](char c) { return c == '}'; });
    auto [low, high] = inside.split(',');
    unsigned from = 0, to = 0;
    bool range = inside.contains(',');
    bool numbers = inside.size() < rest.size() && (low.empty() ? range && !high.empty() : !low.getAsInteger(10, from)) &&
                   (high.empty() || !high.getAsInteger(10, to));
    if (!numbers) {
      result += "\\{";
      last = Last::item;
      return;
    }
    std::string spelt = "{" + (low.empty() ? "0" : low.str()) + (range ? "," + high.str() : "") + "}";
    rest = rest.drop_front(inside.size() + 1);
    if (from > 1000 || to > 1000 || (range && !high.empty() && from > to))
      return refuse("'{" + inside + "}'");
    if (!rest.empty() && (rest.front() == '+' || (rest.front() == '?' && !range)))
      return refuse("'{" + inside + "}" + rest.take_front() + "'"); // means something else in each
    quantifier(spelt, /*maybePossessive=*/false);
  }

  void group() {
    ++depth;
    outerCase.push_back(ignoresCase);
    if (rest.starts_with("*"))
      return refuse("'(*'");
    if (!rest.consume_front("?")) {
      result += '(';
      return;
    }
    for (StringRef kind : {":", "=", "!", ">", "<=", "<!", "i:"})
      if (rest.consume_front(kind)) {
        result += ("(?" + kind).str();
        ignoresCase |= kind == "i:";
        return;
      }
    refuse("'(?" + rest.take_front(2) + "'");
  }

  /// The members of a class that an escape stands for, or nothing when it stands for a character.
  std::string members(StringRef what) {
    if (what == "s")
      return spaces.str();
    if (what == "S")
      return notSpaces.str();
    if (what == "d")
      return "\\p{Nd}" + newerMembers("Nd");
    if (what == "w")
      return "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}" + newerMembers("L") + newerMembers("M") + newerMembers("Nd") + newerMembers("Nl") +
             newerMembers("Pc") + moreWord.str();
    return {};
  }

  /// What follows a backslash.
  std::string escape(bool inClass) {
    isSet = false;
    if (rest.empty()) {
      problem = "a backslash at the end";
      return {};
    }
    char c = take();
    std::string text;
    switch (c) {
    case 's':
    case 'S':
    case 'd':
    case 'w':
      isSet = true;
      text = members(StringRef(&c, 1));
      return inClass ? text : "[" + text + "]";
    case 'D':
    case 'W':
      isSet = true;
      if (inClass)
        refuse(Twine("'\\") + Twine(c) + "' in a class");
      c = toLower(c);
      return "[^" + members(StringRef(&c, 1)) + "]";
    case 'p':
    case 'P':
      isSet = true;
      return property(c == 'P', inClass);
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'a':
    case 'e':
      return {'\\', c};
    case 'v':
      return "\\x{b}";
    case 'A':
    case 'z':
      if (!inClass)
        return {'\\', c};
      break;
    case 'x':
    case 'u':
      return hexadecimal(c);
    default:
      if (isPunct(c) || c == ' ')
        return {'\\', c};
    }
    refuse(Twine("'\\") + Twine(c) + "'" + (inClass ? " in a class" : ""));
    return {};
  }

  std::string hexadecimal(char kind) {
    StringRef digits;
    if (kind == 'x' && rest.consume_front("{")) {
      digits = rest.take_while(isHexDigit);
      rest = rest.drop_front(digits.size());
      if (!rest.consume_front("}"))
        digits = {};
    } else {
      digits = rest.take_while(isHexDigit).take_front(kind == 'x' ? 2 : 4);
      if (kind == 'u' && digits.size() != 4)
        digits = {};
      rest = rest.drop_front(digits.size());
    }
    if (digits.empty() || digits.size() > 8)
      problem = Twine("a '\\" + Twine(kind) + "' without its digits").str();
    return "\\x{" + digits.str() + "}";
  }

  /// \p{name}, \p{^name}, \P{name}.
  std::string property(bool negated, bool inClass) {
    StringRef name;
    if (rest.consume_front("{")) {
      name = rest.take_until([](char c) { return c == '}'; });
      rest = rest.drop_front(name.size());
    }
    if (!rest.consume_front("}"))
      problem = "a property without its braces";
    if (name.consume_front("^"))
      negated = !negated;
    std::string members;
    if (is_contained(categories, name))
      members = "\\p{" + name.str() + "}" + newerMembers(name);
    else if (name == "Han")
      members = "\\p{sc:Han}" + newerHan();
    else
      refuse("'\\p{" + name + "}'");
    if (ignoresCase)
      refuse("a property in (?i)");
    if (negated && inClass)
      refuse("a negated property in a class");
    return inClass ? members : (negated ? "[^" : "[") + members + "]";
  }

  void characterClass() {
    size_t begin = result.size();
    bool negated = rest.consume_front("^");
    result += negated ? "[^" : "[";
    classMembers();
    if (rest.consume_front("&&"))
      return negated ? refuse("'&&' in a class that is negated") : intersection(begin);
    rest.consume_front("]");
    result += ']';
  }

  /// [A&&[B]], of which [A is written: a lookahead at the one, then the other, as PCRE2 knows no intersections.
  void intersection(size_t begin) {
    std::string first = result.substr(begin) + "]";
    result.resize(begin);
    if (!rest.consume_front("["))
      return refuse("'&&' before anything but a class");
    bool negated = rest.consume_front("^");
    result += negated ? "(?:(?![" : "(?:(?=[";
    classMembers();
    if (!rest.consume_front("]]"))
      return refuse("'&&' in a class that goes on behind it");
    result += "])" + first + ")";
  }

  /// Those of a class, up to its end or to a '&&'.
  void classMembers() {
    if (rest.consume_front("]")) // first in a class it is itself
      result += "\\]";
    bool afterSet = false; // where a hyphen would be no range
    for (bool isFirst = true; problem.empty(); isFirst = false) {
      if (rest.empty()) {
        problem = "a class without an end";
        return;
      }
      if (rest.starts_with("]"))
        return;
      if (rest.starts_with("&&"))
        return isFirst ? refuse("'&&' behind nothing") : void();
      char c = take();
      if (c == '[')
        return refuse("'[' in a class");
      if (c == '-' && !rest.starts_with("]") &&
          (afterSet || rest.starts_with("[") || rest.starts_with("\\p") || rest.starts_with("\\s") || rest.starts_with("\\S") ||
           rest.starts_with("\\d") || rest.starts_with("\\w")))
        return refuse("a range that begins or ends with a set");
      if (ignoresCase && !isASCII(c))
        return refuse("a character beyond ASCII in (?i)");
      if (c == '\\') {
        result += escape(/*inClass=*/true);
        afterSet = isSet;
      } else {
        result += c;
        afterSet = false;
      }
    }
  }

  StringRef rest;
  std::string result, problem;
  Last last = Last::nothing;
  bool ignoresCase = false, isSet = false;
  int depth = 0;
  SmallVector<bool> outerCase; ///< of the groups around
};
} // namespace

/// Why PCRE2 does not take `pattern`; empty when it does.
static std::string problemOf(const std::string &pattern) {
  int error;
  size_t offset;
  pcre2_code *code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, nullptr);
  pcre2_code_free(code);
  if (code)
    return {};
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char *>(text);
}

Expected<std::string> moec::importers::tokenizer::translatePattern(StringRef pattern) {
  constexpr size_t maxBytes = 16 << 10;
  if (pattern.size() > maxBytes)
    return createStringError("a pattern of " + Twine(pattern.size()) + " bytes, expected at most " + Twine(maxBytes));
  Expected<std::string> translated = Translator(pattern).run();
  std::string problem = translated ? problemOf(*translated) : toString(translated.takeError());
  if (problem.empty())
    return translated;
  return createStringError("pattern '" + pattern + "': " + problem);
}

/// Whether `pattern` has ^ or $, which are ends of lines in our patterns.
static bool hasLineAnchor(StringRef pattern) {
  bool inClass = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\')
      ++i;
    else if (inClass)
      inClass = c != ']';
    else if (c == '[')
      inClass = true;
    else if (c == '^' || c == '$')
      return true;
  }
  return false;
}

Expected<std::string> moec::importers::tokenizer::translateTextPattern(StringRef pattern) {
  if (hasLineAnchor(pattern))
    return createStringError("'^' and '$' are not supported");
  return translatePattern(pattern);
}

std::string moec::importers::tokenizer::escapePattern(StringRef literal) {
  std::string result;
  for (char c : literal) { // every ASCII character that could mean something, by its escape
    if (isPunct(c))
      result += '\\';
    result += c;
  }
  return result;
}

std::string moec::importers::tokenizer::readPattern(const Node &pattern) {
  if (Node literal = pattern.member("String"); literal.json()) {
    if (literal.text().empty())
      literal.refuse("expected a text, got none");
    return escapePattern(literal.text());
  }
  Node regex = pattern.member("Regex");
  if (!regex.json()) {
    pattern.refuse("expected {\"Regex\": ...} or {\"String\": ...}");
    return {};
  }
  Expected<std::string> translated = translatePattern(regex.text());
  if (translated)
    return *translated;
  regex.refuse(toString(translated.takeError()));
  return {};
}
