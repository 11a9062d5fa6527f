// Vocabularies that score tokens instead of merging them: a text is cut into those whose scores sum highest.
#ifndef MOEC_IMPORTERS_TOKENIZER_SCOREDTOKENS_H
#define MOEC_IMPORTERS_TOKENIZER_SCOREDTOKENS_H

#include "runtime/schema/Tokenizer_generated.h"

namespace moec::importers::tokenizer {

constexpr auto maxScoredBytes = size_t(artifact::TokenizerLimit::max_scored_bytes);

/// How far an unknown character lies below the least likely token, in the libraries that cut like this.
constexpr double unknownPenalty = 10;

/// Sets the tokens of `into` that a text is cut into. None is empty or of more than `maxScoredBytes`, no two are the same.
void setScores(std::vector<artifact::ScoredToken> tokens, artifact::TokenizerT &into);

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_SCOREDTOKENS_H
