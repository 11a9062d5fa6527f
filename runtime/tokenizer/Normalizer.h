// What happens to a text before it is cut: Unicode normal forms, lower case, replacements.
#ifndef MOEC_RUNTIME_TOKENIZER_NORMALIZER_H
#define MOEC_RUNTIME_TOKENIZER_NORMALIZER_H

#include "runtime/schema/Tokenizer_generated.h"
#include "runtime/tokenizer/Pattern.h"

namespace moec::runtime {

class Normalizer {
public:
  static Result<Normalizer> create(const artifact::Tokenizer &tokenizer);

  /// Applies all steps to valid UTF-8.
  Status apply(std::string &text, const Deadline &deadline) const;

private:
  struct Step {
    artifact::NormalizerKind kind;
    std::optional<Pattern> pattern;
    std::string content;
  };
  std::vector<Step> steps;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_NORMALIZER_H
