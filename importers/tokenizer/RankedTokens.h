// Vocabularies that order tokens instead of merges: whatever two tokens make a third may merge, the best third first.
#ifndef MOEC_IMPORTERS_TOKENIZER_RANKEDTOKENS_H
#define MOEC_IMPORTERS_TOKENIZER_RANKEDTOKENS_H

#include "runtime/schema/Tokenizer_generated.h"

#include "llvm/ADT/ArrayRef.h"

namespace moec::importers::tokenizer {

/// What follows bounds the time that finding merges takes.
constexpr size_t maxRankedBytes = 512;

/// A token of `into.tokens`; of lower ranks first, and leftmost first among equals.
struct RankedToken {
  int32_t id;
  uint32_t rank;
};

/// Adds every merge of two of the `tokens` into one of them, for ids that text is spelt with. `tokens` are in the order of their
/// ranks, none empty or of more than `maxRankedBytes`, no two the same.
void addMerges(llvm::ArrayRef<RankedToken> tokens, artifact::TokenizerT &into);

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_RANKEDTOKENS_H
