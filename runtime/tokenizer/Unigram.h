// The likeliest cut of one piece of text into tokens (arXiv 1804.10959).
#ifndef MOEC_RUNTIME_TOKENIZER_UNIGRAM_H
#define MOEC_RUNTIME_TOKENIZER_UNIGRAM_H

#include "runtime/schema/Tokenizer_generated.h"
#include "runtime/tokenizer/Pattern.h"

#include <array>
#include <string_view>
#include <vector>

namespace moec::runtime {

class Unigram {
public:
  /// `tokenizer` is verified, has scored tokens, and outlives this.
  explicit Unigram(const artifact::Tokenizer &tokenizer);

  /// Appends the ids of `piece`, which is valid UTF-8: of all cuts the one whose scores sum highest, of equal ones that whose last
  /// tokens are longest.
  Status encode(std::string_view piece, const Deadline &deadline, std::vector<int32_t> &ids) const;

private:
  struct Token {
    std::string_view text;
    int32_t id;
    double score;
  };
  /// Calls `each` with every token that `text` begins with, the shortest first.
  template <class Each> void forEachPrefix(std::string_view text, Each each) const;

  /// The best cut of what ends at a place: its sum, and its last token with where that begins; -1 where none does end.
  struct End {
    double sum = 0;
    int32_t begin = -1, id = -1;
  };
  Status findEnds(std::string_view piece, const Deadline &deadline) const;
  /// Appends the ids of the best cut, whose ends are found.
  void appendBest(std::string_view piece, std::vector<int32_t> &ids) const;
  /// Characters without a token, all in a row.
  void appendUnknown(std::string_view run, std::vector<int32_t> &ids) const;

  const artifact::Tokenizer &tokenizer;
  std::vector<Token> tokens;        ///< by text
  std::array<Range, 256> byFirst{}; ///< tokens by their first byte
  mutable std::vector<End> ends;    ///< of every place of a piece; its memory is kept where that is little
  mutable size_t places = 0;        ///< looked at in all pieces, for the deadline
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_UNIGRAM_H
