// Byte-pair encoding of one piece of text (arXiv 1508.07909), over bytes or characters.
#ifndef MOEC_RUNTIME_TOKENIZER_BPE_H
#define MOEC_RUNTIME_TOKENIZER_BPE_H

#include "runtime/tokenizer/MergeQueue.h"
#include "runtime/tokenizer/MergeRules.h"

#include <array>
#include <string_view>
#include <unordered_map>

namespace moec::runtime {

class Bpe {
public:
  /// `tokenizer` is verified and outlives this.
  explicit Bpe(const artifact::Tokenizer &tokenizer);

  /// Appends the ids of `piece` (valid UTF-8): spells it, then merges pairs by rank, leftmost first, in O(n log n).
  void encode(std::string_view piece, std::vector<int32_t> &ids) const;

private:
  /// A doubly linked list; a symbol that was merged into its left neighbour has id -1.
  struct Symbol {
    int32_t id, previous, next;
  };
  /// The tokens of the piece's bytes or characters: what merging begins with.
  std::vector<Symbol> spell(std::string_view piece) const;
  void merge(std::vector<Symbol> &symbols) const;

  const artifact::Tokenizer &tokenizer;
  MergeRules rules;
  mutable MergeQueue queue;                                  ///< its memory is kept
  std::array<int32_t, 256> bytes;                            ///< token of each byte, or of each ASCII character
  std::unordered_map<std::string_view, int32_t> characters;  ///< tokens of the others, when the vocabulary is not byte-level
  std::unordered_map<std::string_view, int32_t> wholeTokens; ///< only when merges are ignored for them
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_BPE_H
