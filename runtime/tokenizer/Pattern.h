// A regular expression of a tokenizer, as Oniguruma reads it, run by PCRE2.
#ifndef MOEC_RUNTIME_TOKENIZER_PATTERN_H
#define MOEC_RUNTIME_TOKENIZER_PATTERN_H

#include "runtime/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moec::runtime {

class Pattern {
public:
  /// Compiles `pattern` (UTF-8, Unicode properties). A pattern that could run away is stopped by limits when it matches.
  static Result<Pattern> compile(std::string_view pattern);

  struct Range {
    size_t begin, end;
  };
  /// Appends the matches in valid UTF-8 `text`, from left to right; empty matches are left out.
  Status findAll(std::string_view text, std::vector<Range> &matches) const;

private:
  struct Compiled;
  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled;
};

/// The pattern with \s and \S as Oniguruma means them (Unicode's White_Space), which PCRE2's differ from.
std::string spellOutSpaces(std::string_view pattern);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_PATTERN_H
