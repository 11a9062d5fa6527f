// A regular expression of a tokenizer, run by PCRE2 within bounds.
#include "runtime/tokenizer/Pattern.h"

#include "runtime/tokenizer/Utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace moec::runtime;

namespace {
constexpr size_t maxPatternBytes = 64 << 10;
/// Steps of a match from one start: several for every byte of the longest run of one class that a text of 10 MB can be.
constexpr uint32_t matchLimit = 40'000'000, heapLimitKiB = 256 << 10;
/// Starts that one call tries, so that the deadline is looked at between a few matches that each stay just below the limit.
constexpr size_t startsPerCall = 64;

std::string messageOf(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char *>(text);
}
} // namespace

struct Pattern::Compiled {
  pcre2_compile_context *compileContext = nullptr;
  pcre2_code *code = nullptr;
  pcre2_match_context *context = nullptr;
  pcre2_match_data *data = nullptr;
  std::string source;

  ~Compiled() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_code_free(code);
    pcre2_compile_context_free(compileContext);
  }

  /// The first match that starts in [at, last]; what pcre2_match answers.
  int match(std::string_view text, size_t at, size_t last) const {
    auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    pcre2_set_offset_limit(context, last);
    int found = pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, data, context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) // compiled code has a small stack, the interpreter has the heap
      found = pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, context);
    return found;
  }
};

Result<Pattern> Pattern::compile(std::string_view pattern) {
  if (pattern.size() > maxPatternBytes)
    return Status::invalidData("a pattern of " + std::to_string(pattern.size()) + " bytes, expected at most " +
                               std::to_string(maxPatternBytes));
  auto compiled = std::make_shared<Compiled>();
  compiled->source = pattern;
  compiled->compileContext = pcre2_compile_context_create(nullptr);
  if (!compiled->compileContext)
    return Status::resourceExhausted("no memory for a pattern");
  pcre2_set_newline(compiled->compileContext, PCRE2_NEWLINE_LF);
  int error;
  size_t offset;
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT, &error,
                                 &offset, compiled->compileContext);
  if (!compiled->code)
    return Status::invalidData("pattern '" + std::string(pattern) + "': " + messageOf(error));
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE); // without it, the interpreter does the same
  compiled->context = pcre2_match_context_create(nullptr);
  compiled->data = pcre2_match_data_create(1, nullptr);
  if (!compiled->context || !compiled->data)
    return Status::resourceExhausted("no memory for a pattern");
  pcre2_set_match_limit(compiled->context, matchLimit);
  pcre2_set_heap_limit(compiled->context, heapLimitKiB);
  return Pattern(std::move(compiled));
}

Status Pattern::findAll(std::string_view text, const Deadline &deadline, std::vector<Range> &matches) const {
  auto refuse = [&](const std::string &why) { return Status::resourceExhausted("pattern '" + compiled->source + "': " + why); };
  size_t lastEnd = text.size() + 1; // of the match before
  for (size_t at = 0; at <= text.size();) {
    if (deadline.passed())
      return refuse("takes too long on a text of " + std::to_string(text.size()) + " bytes");
    size_t last = std::min(at + startsPerCall, text.size());
    while (last < text.size() && isContinuation(text[last]))
      ++last;
    int found = compiled->match(text, at, last);
    if (found == PCRE2_ERROR_NOMATCH) {
      at = last + 1;
      while (at < text.size() && isContinuation(text[at]))
        ++at;
      continue;
    }
    if (found < 0)
      return refuse("cannot be matched: " + messageOf(found));
    const size_t *range = pcre2_get_ovector_pointer(compiled->data);
    if (range[0] < at || range[1] < range[0]) // a lookbehind's \K could start anywhere
      return Status::invalidData("pattern '" + compiled->source + "' matches backwards");
    if (range[0] == range[1] && range[1] == lastEnd) {
      at += at < text.size() ? firstCharacter(text.substr(at)).length : 1;
      continue;
    }
    matches.push_back({range[0], range[1]});
    at = lastEnd = range[1];
  }
  return {};
}

Status Pattern::replaceAll(std::string &text, std::string_view content, const Deadline &deadline) const {
  std::vector<Range> matches;
  MOEC_RETURN_IF_ERROR(findAll(text, deadline, matches));
  std::string result;
  size_t done = 0;
  for (const Range &match : matches) {
    result.append(text, done, match.begin - done).append(content);
    done = match.end;
    if (result.size() > maxTextBytes)
      return Status::resourceExhausted("pattern '" + compiled->source + "' makes a text of more than " +
                                       std::to_string(maxTextBytes) + " bytes");
  }
  text = result.append(text, done);
  return {};
}
