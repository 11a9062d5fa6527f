// Vocabularies that order tokens instead of merges.
#include "importers/tokenizer/RankedTokens.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers::tokenizer;

/// Whether a character begins at `text[at]`.
static bool beginsCharacter(StringRef text, size_t at) { return (text[at] & 0xc0) != 0x80; }

void moec::importers::tokenizer::addMerges(ArrayRef<RankedToken> tokens, artifact::TokenizerT &into) {
  DenseMap<StringRef, int32_t> ids;
  for (const RankedToken &token : tokens)
    ids[into.tokens[size_t(token.id)]] = token.id;
  uint32_t rank = 0, given = tokens.empty() ? 0 : tokens.front().rank; // ranks without merges are left out
  bool used = false;
  for (const RankedToken &token : tokens) {
    if (token.rank != given) {
      rank += used;
      given = token.rank;
      used = false;
    }
    StringRef whole = into.tokens[size_t(token.id)];
    for (size_t cut = 1; cut < whole.size(); ++cut) {
      if (!into.byte_level && !beginsCharacter(whole, cut))
        continue;
      auto left = ids.find(whole.take_front(cut));
      if (left == ids.end())
        continue;
      auto right = ids.find(whole.drop_front(cut));
      if (right == ids.end())
        continue;
      into.merges.emplace_back(left->second, right->second, token.id);
      into.merge_ranks.push_back(rank);
      used = true;
    }
  }
}
