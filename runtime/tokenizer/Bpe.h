// Byte-pair encoding of one piece of text (arXiv 1508.07909), over bytes.
#ifndef MOEC_RUNTIME_TOKENIZER_BPE_H
#define MOEC_RUNTIME_TOKENIZER_BPE_H

#include "runtime/schema/Tokenizer_generated.h"

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moec::runtime {

class Bpe {
public:
  /// `tokenizer` is verified and outlives this.
  explicit Bpe(const artifact::Tokenizer &tokenizer);

  /// Appends the ids of `piece`: merges pairs by rank, leftmost first, in O(n log n). A byte without a token is left out.
  void encode(std::string_view piece, std::vector<int32_t> &ids) const;

private:
  struct Rule {
    uint32_t rank;
    int32_t result;
  };
  static uint64_t keyOf(int32_t left, int32_t right) { return uint64_t(uint32_t(left)) << 32 | uint32_t(right); }

  const artifact::Tokenizer &tokenizer;
  std::unordered_map<uint64_t, Rule> rules;
  std::unordered_map<std::string_view, int32_t> wholeTokens; ///< only when merges are ignored for them
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_BPE_H
