// Tokens that are cut out of a text before anything else happens to it.
#ifndef MOEC_RUNTIME_TOKENIZER_ADDEDTOKENS_H
#define MOEC_RUNTIME_TOKENIZER_ADDEDTOKENS_H

#include "runtime/schema/Tokenizer_generated.h"

#include "runtime/tokenizer/Pattern.h"

#include <array>
#include <functional>

namespace moec::runtime {

class AddedTokens {
public:
  /// `content` overrides the token's own text (for tokens that are compared after normalization).
  void add(const artifact::AddedToken &token, std::string content);
  /// Call when all are added.
  void prepare();

  /// Calls `text` for the pieces between tokens and `token` for each token, in order. Of several that start at a place the
  /// longest is taken. Time per place grows with the length of the tokens, not with their number.
  void split(std::string_view whole, const std::function<void(std::string_view)> &text,
             const std::function<void(int32_t)> &token) const;

private:
  struct Entry {
    std::string content;
    size_t order;
    int32_t id;
    bool special, singleWord, leftStrip, rightStrip;
  };
  const Entry *longestAt(std::string_view text) const;

  std::vector<Entry> entries;       ///< by content; of equal ones the special first, then the one added first
  std::array<Range, 256> byFirst{}; ///< entries by their first byte
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_ADDEDTOKENS_H
