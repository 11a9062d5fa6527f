// Cuts a text into the pieces that are encoded each for itself.
#ifndef MOEC_RUNTIME_TOKENIZER_PRETOKENIZER_H
#define MOEC_RUNTIME_TOKENIZER_PRETOKENIZER_H

#include "runtime/schema/Tokenizer_generated.h"
#include "runtime/tokenizer/Pattern.h"

namespace moec::runtime {

class PreTokenizer {
public:
  static Result<PreTokenizer> create(const artifact::Tokenizer &tokenizer);

  /// Rewrites `text` (valid UTF-8) and fills `pieces` with ranges of it, none empty. `beginsText`: nothing stands before it.
  Status cut(std::string &text, bool beginsText, const Deadline &deadline, std::vector<Range> &pieces) const;

private:
  struct Step {
    artifact::PreTokenizerKind kind;
    std::optional<Pattern> pattern;
    artifact::SplitBehavior behavior;
    bool invert, onlyFirst;
    std::string content;
  };
  static Status split(const Step &step, std::string_view text, const Deadline &deadline, std::vector<Range> &pieces);
  static Status rewrite(const Step &step, std::string &text, bool beginsText, const Deadline &deadline, std::vector<Range> &pieces);

  std::vector<Step> steps;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_PRETOKENIZER_H
