// Tokens that are cut out of a text before anything else happens to it.
#ifndef MOEC_RUNTIME_TOKENIZER_ADDEDTOKENS_H
#define MOEC_RUNTIME_TOKENIZER_ADDEDTOKENS_H

#include "runtime/schema/Tokenizer_generated.h"

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace moec::runtime {

class AddedTokens {
public:
  /// `content` overrides the token's own text (for tokens that are compared after normalization).
  void add(const artifact::AddedToken &token, std::string content);
  /// Call when all are added.
  void prepare();

  /// Calls `text` for the pieces between tokens and `token` for each token, in order. Of several that start at a place the
  /// longest is taken.
  void split(std::string_view whole, const std::function<void(std::string_view)> &text,
             const std::function<void(int32_t)> &token) const;

private:
  struct Entry {
    std::string content;
    int32_t id;
    bool singleWord, leftStrip, rightStrip;
  };
  const Entry *longestAt(std::string_view text) const;

  std::vector<Entry> entries;                     ///< longest first
  std::array<std::vector<uint32_t>, 256> byFirst; ///< entries by their first byte, longest first
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_ADDEDTOKENS_H
