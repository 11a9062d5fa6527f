// A regular expression of a tokenizer, as Oniguruma reads it, run by PCRE2.
#include "runtime/tokenizer/Pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace moec::runtime;

namespace {
constexpr size_t maxPatternBytes = 64 << 10;
/// Steps of one match: enough for a megabyte of one class, and over in well under a second.
constexpr uint32_t matchLimit = 20'000'000, heapLimitKiB = 64 << 10, depthLimit = 1'000'000;

constexpr std::string_view spaces =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
constexpr std::string_view notSpaces =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{d7ff}"
    "\\x{e000}-\\x{10ffff}";

std::string messageOf(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char *>(text);
}
} // namespace

struct Pattern::Compiled {
  pcre2_code *code = nullptr;
  pcre2_match_context *context = nullptr;
  pcre2_match_data *data = nullptr;
  std::string source;

  ~Compiled() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

std::string moec::runtime::spellOutSpaces(std::string_view pattern) {
  std::string result;
  bool inClass = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char escaped = pattern[++i];
      if (escaped != 's' && escaped != 'S') {
        result += {c, escaped};
        continue;
      }
      std::string_view members = escaped == 's' ? spaces : notSpaces;
      if (inClass)
        result += members;
      else
        result.append("[").append(members).append("]");
      continue;
    }
    if (c == '[' && !inClass) {
      inClass = true;
      result += c;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^')
        result += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') { // first in a class it is itself
        result += "\\]";
        ++i;
      }
      continue;
    }
    if (c == ']')
      inClass = false;
    if (c == '[' && inClass && (i + 1 == pattern.size() || pattern[i + 1] != ':')) {
      result += "\\["; // PCRE2 10.42 takes it literally, but would read [. and [= as more
      continue;
    }
    result += c;
  }
  return result;
}

Result<Pattern> Pattern::compile(std::string_view pattern) {
  if (pattern.size() > maxPatternBytes)
    return Status::invalidData("a pre-tokenizer's pattern of " + std::to_string(pattern.size()) + " bytes, expected at most " +
                               std::to_string(maxPatternBytes));
  auto compiled = std::make_shared<Compiled>();
  compiled->source = pattern;
  std::string spelt = spellOutSpaces(pattern);
  int error;
  size_t offset;
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelt.data()), spelt.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (!compiled->code)
    return Status::invalidData("pattern '" + std::string(pattern) + "': " + messageOf(error));
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE); // without it, the interpreter does the same
  compiled->context = pcre2_match_context_create(nullptr);
  compiled->data = pcre2_match_data_create(1, nullptr);
  if (!compiled->context || !compiled->data)
    return Status::resourceExhausted("no memory for a pre-tokenizer");
  pcre2_set_match_limit(compiled->context, matchLimit);
  pcre2_set_heap_limit(compiled->context, heapLimitKiB);
  pcre2_set_depth_limit(compiled->context, depthLimit);
  return Pattern(std::move(compiled));
}

Status Pattern::findAll(std::string_view text, std::vector<Range> &matches) const {
  auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (size_t at = 0; at < text.size();) {
    int found = pcre2_match(compiled->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, compiled->data,
                            compiled->context);
    if (found == PCRE2_ERROR_NOMATCH)
      break;
    if (found < 0)
      return Status::resourceExhausted("pattern '" + compiled->source + "' cannot be matched: " + messageOf(found));
    const size_t *range = pcre2_get_ovector_pointer(compiled->data);
    if (range[1] <= at || range[0] >= range[1]) // a lookbehind's \K could start anywhere
      return Status::invalidData("pattern '" + compiled->source + "' matches backwards");
    matches.push_back({range[0], range[1]});
    at = range[1];
  }
  return {};
}
