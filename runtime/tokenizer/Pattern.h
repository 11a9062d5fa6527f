// A regular expression of a tokenizer, run by PCRE2 within bounds.
#ifndef MOEC_RUNTIME_TOKENIZER_PATTERN_H
#define MOEC_RUNTIME_TOKENIZER_PATTERN_H

#include "runtime/Status.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moec::runtime {

/// The time that one text may take. Patterns come with a model and texts from anywhere: some pairs of them take time quadratic in
/// the text or worse.
class Deadline {
public:
  /// Ten seconds, and five for every megabyte: a thousand times what patterns in use need.
  explicit Deadline(size_t bytes) : Deadline(std::chrono::seconds(10) + std::chrono::microseconds(5 * bytes)) {}
  explicit Deadline(std::chrono::microseconds time) : end(std::chrono::steady_clock::now() + time) {}
  bool passed() const { return std::chrono::steady_clock::now() > end; }

private:
  std::chrono::steady_clock::time_point end;
};

/// Part of a text, in bytes.
struct Range {
  size_t begin, end;
};

class Pattern {
public:
  /// Compiles `pattern` (UTF-8, Unicode properties, ^ and $ at lines).
  static Result<Pattern> compile(std::string_view pattern);

  /// Appends the matches in valid UTF-8 `text`, from left to right. An empty match is one too, unless it follows another at once
  /// (as the reference counts them).
  Status findAll(std::string_view text, const Deadline &deadline, std::vector<Range> &matches) const;
  /// `text` with every match replaced.
  Status replaceAll(std::string &text, std::string_view content, const Deadline &deadline) const;

private:
  struct Compiled;
  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_PATTERN_H
