// The sections of a tokenizer.json: what it says and how, and what it becomes.
#ifndef MOEC_IMPORTERS_TOKENIZER_SECTIONS_H
#define MOEC_IMPORTERS_TOKENIZER_SECTIONS_H

#include "importers/tokenizer/Node.h"
#include "runtime/schema/Tokenizer_generated.h"

#include "llvm/ADT/StringMap.h"

namespace moec::importers::tokenizer {

/// Tokens as the file spells them.
struct Vocabulary {
  llvm::StringMap<int32_t> ids;   ///< the model's own
  llvm::StringMap<int32_t> added; ///< those of added_tokens, some of which are the model's too
  bool spellsAllBytes = false;    ///< every character of the byte alphabet is a token
};

/// Each fills its part of `into` and refuses what it cannot say exactly.
/// `pre_tokenizer`; says in `into.byte_level` how the rest is to be read.
void readPreTokenizer(const Node &preTokenizer, artifact::TokenizerT &into);
/// `model`: a BPE's vocabulary and merges, or a list of tokens with scores.
Vocabulary readModel(const Node &model, artifact::TokenizerT &into);
Vocabulary readUnigram(const Node &model, artifact::TokenizerT &into);
/// The tokens <0x00> to <0xFF> of bytes, for characters without one.
void readFallback(const Vocabulary &vocabulary, artifact::TokenizerT &into);
void readAddedTokens(const Node &addedTokens, Vocabulary &vocabulary, artifact::TokenizerT &into);
void readNormalizer(const Node &normalizer, artifact::TokenizerT &into);
void readDecoder(const Node &decoder, artifact::TokenizerT &into);
void readPostProcessor(const Node &processor, artifact::TokenizerT &into);

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_SECTIONS_H
